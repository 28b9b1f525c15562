# Who writes to nobody: the shell's own words end the shell, a program ends alone.
(sleep 0.3; echo x; echo x; echo reached > after-echo) | true
ls after-echo 2>/dev/null; echo "$?"
echo text > file
(sleep 0.3; cat file; echo "$?" > after-cat) | true
cat after-cat
(trap 'echo trapped > in-trap; exit 3' PIPE; sleep 0.3; echo x; echo reached > after-trap) | true
cat in-trap; ls after-trap 2>/dev/null; echo "$?"
(trap '' PIPE; sleep 0.3; echo x 2>/dev/null; echo "$?" > ignored; cat file 2>/dev/null; echo "$?" >> ignored) | true
cat ignored
(trap 'echo tidied > in-exit' EXIT; sleep 0.3; echo x; echo x) | true
cat in-exit 2>/dev/null; echo "$?"
printf '\1\2\377' > bytes
hexdump -v -e '4/1 "%02x" "\n"' bytes | sed 's/ *$//'
hexdump -C bytes
setsid sh -c 'echo from setsid'
(sleep 0.2; echo late > later) < /dev/null > /dev/null 2>&1 &
wait
cat later
