a='single $x `y` \n'
b="double $a \"quoted\" \$not \\ back\slash"
echo "$a"; echo "$b"; echo un\ quoted\$ 'it'\''s' "a"'b'c
echo "nested ${x:-"inner $a"}" '#no comment' # comment
echo a\
b
printf '%s|' '' "" "a b" a b; echo
printf '%s|' $unset "$unset" ''$unset; echo
echo "tab	end" 'new
line'
