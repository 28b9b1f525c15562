if false; then echo no; elif true; then echo yes; else echo no; fi
case "foobar" in foo) echo 1;; foo*) echo 2;; *) echo 3;; esac
case x in a|x|y) echo alt;; esac
case "*" in "*") echo star;; esac
case abc in [a-c]*) echo range;; esac
case 5 in [!0-9]*) echo nondigit;; [0-9]) echo digit;; esac
for i in 1 2 3 4; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done
i=0; until [ $i -ge 2 ]; do i=$((i+1)); echo u$i; done
while read a b; do echo "$b-$a"; done <<EOF
1 one
2 two words
EOF
true && echo and || echo or
false && echo and || echo or
! false && echo not
{ echo group; echo two; } | wc -l
( x=inner; echo $x ); echo "[$x]"
for i in a b; do for j in 1 2; do [ $j = 2 ] && continue 2; echo $i$j; done; done
