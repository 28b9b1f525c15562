[ a = a ] && echo 1; [ a != b ] && echo 2; [ -z "" ] && echo 3; [ -n x ] && echo 4
[ 1 -eq 1 -a 2 -gt 1 ] && echo 5; [ 1 -eq 2 -o 2 -gt 1 ] && echo 6; [ ! -e nope ] && echo 7
mkdir d; touch d/f; [ -d d ] && [ -f d/f ] && [ ! -s d/f ] && echo 8
ln -s f d/l; [ -L d/l ] && echo 9; [ -h d/l ] && [ -e d/l ] && echo 10
test "x" && echo 11; test "" || echo 12; [ "" ] || echo 13; [ "-f" ] && echo 14
[ "(" = "(" ] && echo 15; [ -x d ] && echo 16; chmod 644 d/f; [ -x d/f ] || echo 17; chmod +x d/f; [ -x d/f ] && echo 18
[ 10 -gt 9 ] && [ abc \< abd ] && echo 19
[ 1 -eq x ] 2>/dev/null; echo $?
