echo one > f; echo two >> f; cat f; cat < f | wc -l
{ echo out; echo err >&2; } > both 2>&1; cat both
ls nonexistent 2>/dev/null || echo failed
echo err 1>&2 2>/dev/null
: > empty; [ -s empty ] || echo empty; [ -f empty ] && echo file
cat <<EOF > h
value $((1+1)) $(echo sub) \$lit `echo bt`
EOF
cat h
cat <<'EOF'
raw $x `y` \z
EOF
cat <<-EOF
	tabs stripped
	EOF
exec 3> third; echo three >&3; exec 3>&-; cat third
echo a >x; echo b >x; cat x
while read l; do echo "[$l]"; done < f
read first < f; echo $first
cat < missing 2>/dev/null; echo $?
> trunc; wc -c < trunc
cat <<A; cat <<B
first
A
second
B
