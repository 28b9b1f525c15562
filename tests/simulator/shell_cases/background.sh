(sleep 0.1; echo late) & p=$!
echo early; wait $p; echo $?
(exit 7) & wait $!; echo $?
sleep 30 & kill $!; wait $!; echo $?
sleep 30 & p=$!; kill -0 $p && echo alive; kill -9 $p; wait $p; echo $?; kill -0 $p 2>/dev/null || echo gone
{ sleep 0.05; echo done > flag; } >/dev/null 2>&1 & wait; cat flag
