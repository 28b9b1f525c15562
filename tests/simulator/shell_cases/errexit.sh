set -e
false || echo caught
if false; then :; fi
! true
x=$(false) || echo sub
f() { false; echo reached; }
f && echo chained
trap 'echo bye $?' EXIT
(exit 3) || echo status $?
echo before
false
echo never
