printf 'c\na\nb\n' | sort | head -n 2
echo hello | tr a-z A-Z | cut -c1-3
printf '1 a\n2 b\n' | while read n l; do echo $l$n; done
echo x | { read v; echo got $v; }
false | true; echo $?
true | false; echo $?
printf 'a\nb\n' | grep -c .
seq 5 | tail -n +3
i=0; printf '1\n2\n' | while read x; do i=$x; done; echo $i
while true; do echo y; done | head -n 2
