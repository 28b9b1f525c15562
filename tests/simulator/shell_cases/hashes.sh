printf abc > f; md5sum f; sha256sum f; printf abc | md5sum; sha256sum < f | cut -d ' ' -f 1
md5sum f > sums; md5sum -c sums; printf abd > f; md5sum -c sums 2>/dev/null; echo $?
printf 'hello world' | base64; printf 'aGVsbG8=' | base64 -d; echo
