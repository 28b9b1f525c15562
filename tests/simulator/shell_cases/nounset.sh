set -u
echo "${x:-ok}"
echo "$nope"
echo never
