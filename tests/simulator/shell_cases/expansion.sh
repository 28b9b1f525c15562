x=hello; e=
echo ${x} ${x:-d} ${e:-default} ${e-unset} ${u-unset} ${u:=set} $u ${x:+alt} [${e:+alt}] ${#x}
f=/etc/config/wireless.bak.gz
echo ${f##*/} ${f#*/} ${f%.*} ${f%%.*} ${f%/*} ${f#nomatch}
p='*.gz'; echo ${f%$p} ${f%"$p"}
echo ${x:1:3} ${x:2} ${x/l/L} ${x//l/L}
set -- a 'b c' d
echo $# $1 "$2" $* "$@"
for i in "$@"; do echo "<$i>"; done
for i in $@; do echo "<$i>"; done
IFS=,; echo "$*"; IFS=' 	
'
v="a:b::c"; IFS=:; set -- $v; echo $# "$1" "$3" "$4"; unset IFS
shift 2; echo $# $1
echo "${1:-none}" "${9:-none}"
echo $(echo a; echo b) "$(printf 'x\n\n\n')" `echo back \`echo nested\``
