printf 'b 2\na 10\nc 1\n' > t
sort t; sort -r t; sort -k2 -n t; sort -n -k 2 t | head -n1
grep a t; grep -v a t; grep -n b t; grep -c . t; grep -q c t && echo q; grep zz t; echo $?
grep -o '[0-9]*' t; grep -E '^(a|b)' t; grep '^[[:alpha:]] 1' t; grep -i A t; grep -F . t; echo $?
grep -w 1 t; grep -x 'c 1' t; grep -e a -e b t 2>/dev/null | head -n 1
cut -d' ' -f2 t; cut -d ' ' -f 1,2 t | head -n1; cut -c1 t; echo a:b:c | cut -d: -f2-
head -n1 t; tail -n1 t; head -c 3 t; echo; tail -n +2 t; head -1 t; tail -1 t
wc -l t; wc -l < t; wc -c < t; wc -w < t
printf 'a\na\nb\n' | uniq; printf 'a\na\nb\n' | uniq -c; printf 'a\na\nb\n' | uniq -d
echo hello | tr -d l; echo aabb | tr -s a; echo 'a b' | tr ' ' '\n'; echo abc | tr a-c x-z; echo Hello | tr '[:lower:]' '[:upper:]'
echo a1b2 | tr -cd 0-9; echo
echo 'one two' | xargs echo pre; printf 'a\nb\n' | xargs -n1 echo; printf 'a\n' | xargs -I{} echo '<{}>'
printf '%05d|%x|%-5s|%5s|%c|%%|%b\n' 42 255 ab cd xyz 'e\tf'; printf '%s-%s\n' 1 2 3; printf 'no newline'; echo
echo -n no; echo -e 'a\tb'; echo 'a\tb'; echo -- x
seq 3; seq 2 4; seq 1 2 5
