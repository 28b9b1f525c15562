f() { local v=in; echo "$1 $# $v"; return 3; }
v=out; f a b; echo $? $v
g() { echo "args: $*"; set -- x; echo $1; }
set -- keep; g 1 2; echo $1
r() { [ $1 -le 0 ] && { echo end; return; }; echo $1; r $(($1-1)); }
r 3
h() ( exit 4 ); h; echo $?
VAR=temp sh -c 'echo $VAR'; echo "[$VAR]"
export E=exported; sh -c 'echo $E $0 $1' name arg
unset -f f; f 2>/dev/null; echo $?
