printf 'one\ntwo\nthree\n' > t
sed 's/o/0/' t; sed 's/o/0/g' t; sed -n '2p' t; sed '1d' t; sed '$d' t; sed -n '/t/p' t
sed '/^t/d' t; sed 's,/,|,' t; sed 's/\(o\)n\(e\)/\2n\1/' t; sed -E 's/(t)(w)/\2\1/' t
sed -n '1,2p' t; sed '2,3s/t/T/' t; sed '/one/,/two/d' t; sed 's/[aeiou]/<&>/g' t
sed '2a\
added' t; sed '1i\
before' t; sed -e 's/one/1/' -e 's/two/2/' t; sed 's/E/x/I' t; sed '2q' t; sed 1,2d t
sed -i 's/one/ONE/' t; cat t; sed '/two/!d' t; sed -n '$=' t; sed 's/$/!/' t; sed 's/^/# /' t
echo 'a.b' | sed 's/\./-/'; echo "a b" | sed 's/[[:space:]]/_/'; echo aaa | sed 's/a/b/2'; sed '2c\
changed' t; echo 'x=1;y' | sed 's/=\([0-9]\);/ \1 /'
sed -n 's/^t\(.*\)/\1/p' t
