trap 'echo exit trap' EXIT
( trap 'echo inner' EXIT; echo body )
sh -c 'trap "echo term; exit 5" TERM; sleep 5 & wait' & p=$!
sleep 0.2; kill $p; wait $p; echo $?
trap - EXIT; trap 'echo replaced' EXIT
