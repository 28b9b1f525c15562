# What $? is, and when an assignment changes it.
false; x=$?; echo "$x $?"
(exit 3); x=$? y=$?; echo "$x $y"
f() { return 4; }; f; told=$?; echo "$told"
while false; do :; done; told=$?; echo "$told"
false; x=1; echo "$?"
x=$(exit 3); echo "$?"
false; y=1 x=$(true); echo "$?"
false; x=$(exit 3)$?; echo "$x $?"
x=$(exit 3) y=$(exit 5); echo "$?"
x=$(exit 3) y=1; echo "$?"
false; echo $(exit 3) "$?"
false; $(exit 6); echo "$?"
$(true); echo "$?"
false; > made; echo "$?"
x=$(exit 7) > made; echo "$?"
false; x=a$(echo b)$?; echo "$x"
case $(exit 3) in *) echo "$?";; esac
for i in $(exit 3) 1; do echo "$?"; done
echo "$(false; x=$?; echo "$x $?")"
if x=$(exit 2); then echo yes; else echo "no $?"; fi
x=$(exit 2) || echo "or $?"
x="$(exit 2)" true; echo "$?"
local_one() { local x=$(exit 9); echo "$?"; }; local_one
export x=$(exit 9); echo "$?"
false; case x in x) echo "$?";; esac
false; case x in y) ;; esac; echo "$?"
false; for i in 1 2; do echo "$?"; done
false; for i in; do :; done; echo "$?"
false; if false; then :; fi; echo "$?"
false; case x in x) ;; esac; echo "$?"
