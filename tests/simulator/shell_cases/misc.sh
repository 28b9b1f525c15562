command -v nosuchcommand || echo none; type nosuch >/dev/null 2>&1 || echo none
eval 'x=1; echo $x'; eval "echo \$x"
echo 'echo sourced $1' > s; . ./s; sh s arg; chmod +x s; printf '#!/bin/sh\necho script $0 $#\nexit 6\n' > t; chmod +x t; ./t a b; echo $?
nosuchcommand 2>/dev/null; echo $?; ./missing 2>/dev/null; echo $?; sh missing 2>/dev/null; echo $?
./h 2>/dev/null; : > h; ./h 2>/dev/null; echo $?
set -- -a -b; while [ $# -gt 0 ]; do case $1 in -a) echo A;; -b) echo B;; esac; shift; done
x=5; readonly y=2; echo $x$y; unset x; echo "[${x-unset}]"
true; echo $?; false; echo $?; (exit 300) 2>/dev/null; echo $?
echo a; { echo b; } ; ( echo c ) ; if true; then echo d; fi; echo e
: ${d:=default}; echo $d
a=1 b=2; echo $a$b
[ "$(printf 'a\nb')" = "a
b" ] && echo newline
env | grep -c '^NOPE='; FOO=bar env | grep '^FOO='
echo 'exit 9' | sh; echo $?; sh -c 'exit 8'; echo $?
date +%Y >/dev/null && echo date; sleep 0; echo slept; uname >/dev/null && echo uname
test -d /proc && echo proc
mkdir lock && echo got; mkdir lock 2>/dev/null || echo held
sync && echo synced; sh -e -c 'false; echo no'; echo $?
