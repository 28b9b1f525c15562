"""The scripts that run on the device: plain busybox ash and `uci`.

The long ones go in on standard input: dropbear takes no command of more than 9,000 bytes. They are
run only as a whole, so that a connection that breaks in the middle starts nothing.

Whatever they are told to do, the files of /etc/config are replaced only by atomic renames, after
a snapshot of the old ones is on flash. What they say begins with a mark that no config can hold.
"""

KEEP = 10
"""How many commits a device remembers, with what it takes to undo them."""
STALE_S = 3600
"""Age in seconds at which a scratch folder is one that a cut connection left: no command of
ours runs that long."""

SWEEP = r"""
# Folders' names begin with the time by our clock: the device's jumps when it learns the date.
for d in /tmp/napalm-openwrt.??????????????-????????; do
  [ "$(printf '%s\n' "$d" /tmp/napalm-openwrt.@STALE@ | sort | head -n 1)" != "$d" ] ||
    rm -rf "$d"
done
"""

READ = r"""
umask 077
# How each commit stands: its id and the name of its file.
stand() {
  for f in @STATE@/*-*/*; do
    [ ! -f "$f" ] || { at=${f##*/}; f=${f%/*}; echo "${f##*/}/$at"; }
  done
}
# What ends, begins, or does both, while the files are read was read from.
before=" $(echo $(stand)) "
for p in @PACKAGES@; do
  f=/etc/config/$p
  [ -f "$f" ] || continue
  case "${f##*/}" in *.*) continue;; esac
  echo "@MARK@ ${f##*/}"; cat "$f" || exit 1; echo "@MARK@"
done
after=$(stand)
for s in $before $after; do
  case "$before" in *" $s "*) ;; *) echo "@MARK@: unfinished ${s%/*}"; continue;; esac
  case "$s" in */applying|*/pending|*/reverting) echo "@MARK@: unfinished ${s%/*}";; esac
done
echo "@MARK@: done"
"""

STAGE = r"""
umask 077
s=/tmp/napalm-openwrt.@ID@
# What ends the shell by a signal does not run its EXIT trap.
trap 'rm -rf "$s"' EXIT
trap 'exit 1' HUP INT PIPE TERM
@SWEEP@
mkdir "$s" && mkdir "$s/c" || exit 1
cat > "$s/in" || exit 1
if ! uci -c "$s/c" import < "$s/in"; then echo "@MARK@: refused"; exit 0; fi
for f in "$s"/c/*; do
  [ -f "$f" ] || continue
  echo "@MARK@ ${f##*/}"; cat "$f"; echo "@MARK@"
done
echo "@MARK@: done"
"""

NEWEST_FIRST = r"""
# Commits in the order in which they came, newest first, each after its number. Ids begin with the
# time of whoever commits, which may have been set back since.
newest_first() {
  for d in "$state"/*-*; do
    [ -d "$d" ] || continue
    where "${d##*/}"; number=
    { read -r b; read -r b; read -r b; read -r number; } < "$d/$at"
    # All of ten digits, so that they sort as they are.
    echo "${number:-1000000000} ${d##*/}"
  done 2>/dev/null | sort -r
}
"""

COMMIT = (
    NEWEST_FIRST
    + r"""
@FUNCTIONS@
id=@ID@; s=/tmp/napalm-openwrt.$id
say() { echo "@MARK@: $*"; }
tidy() {
  for p in @PACKAGES@; do rm -f "$config/.$p.$id.new" "$config/.$p.$id.old"; done
  rm -rf "$s" "$state/.$id"; release
}
trap tidy EXIT
trap 'exit 1' HUP INT PIPE TERM
stop() { say "$@"; exit 0; }
@SWEEP@
# All that comes from outside comes before the lock: who waits for it must not wait for a network.
mkdir "$s" && mkdir "$s/c" || stop full /tmp
cat > "$s/in" <<'@MARK@' || stop full /tmp
@CANDIDATE@@MARK@
[ "$(sum "$s/in")" = @INPUT_SUM@ ] || stop cut
uci -c "$s/c" import < "$s/in" || stop refused
cat > "$s/agent" <<'@MARK@' || stop full /tmp
@AGENT@@MARK@
# A watcher that sees that there is nothing to do is gone in no time.
take @OWNER@ || { sleep 1; take @OWNER@; } || stop locked "$who"
[ ! -e "$run/void.$id" ] && [ ! -e "$state/$id" ] || stop void
for d in "$state"/*-*; do
  unfinished "${d##*/}" || continue
  left "${d##*/}"; who=; { read -r who; read -r who; } < "$d/$at"
  release; ensure
  stop pending "${d##*/}" "$left" "$who"
done 2>/dev/null
# What a power cut left behind.
rm -rf "$state"/.*-???????? "$config"/.*.??????????????-????????.???
@CHECKS@

if [ ! -d "$state" ]; then folder "$state"; flush "${state%/*}"; fi
mkdir -p "$state/.$id/old" || stop full "$state"
if ! cmp -s "$s/agent" "$agent" || [ ! -x "$agent" ]; then
  cat "$s/agent" > "$state/.$id/agent" && cmp -s "$s/agent" "$state/.$id/agent" &&
    chmod 755 "$state/.$id/agent" || stop full "$state"
  flush "$state/.$id/agent"
  mv -f "$state/.$id/agent" "$agent" || stop full "${agent%/*}"
  flush "${agent%/*}"
fi
if [ ! -h @LINK@ ]; then
  "$agent" enable || stop full /etc/rc.d
  flush /etc/rc.d /etc
fi
for p in @PACKAGES@; do
  f=$config/$p; old=$state/.$id/old
  if [ -f "$f" ]; then
    cp -p "$f" "$old/$p" && cmp -s "$f" "$old/$p" || stop full "$state"
    ln "$old/$p" "$config/.$p.$id.old" 2>/dev/null || cp -p "$f" "$config/.$p.$id.old" ||
      stop full "$config"
    # For its mode and owner.
    cp -p "$f" "$config/.$p.$id.new" || stop full "$config"
  else
    : > "$old/$p.absent" || stop full "$state"
  fi
  if [ -f "$s/c/$p" ]; then
    cat "$s/c/$p" > "$config/.$p.$id.new" && cmp -s "$s/c/$p" "$config/.$p.$id.new" ||
      stop full "$config"
  fi
done
read -r boot < /proc/sys/kernel/random/boot_id; read -r up rest < /proc/uptime
number=$(newest_first | sed q); number=${number%% *}
printf '%s\n' "$boot $((${up%%.*} + @WITHIN@))" @OWNER@ @MESSAGE@ $((${number:-1000000000} + 1)) \
  > "$state/.$id/applying" &&
  [ -s "$state/.$id/applying" ] || stop full "$state"
flush "$state/.$id"/old/* "$state/.$id/applying" "$state/.$id/old" "$state/.$id" \
  "$config"/.*."$id".??? "$config"
# From here to the end nothing of the connection can stop us half-way.
trap '' HUP INT PIPE TERM
mv "$state/.$id" "$state/$id" || stop full "$state"
trap 'rm -rf "$s"; release' EXIT
flush "$state"
start_watcher "$id"; n=0
until [ -s "$run/$id" ] || [ $n -ge 30 ]; do sleep 0.1 2>/dev/null || sleep 1; n=$((n + 1)); done
[ -s "$run/$id" ] || { revert "$id"; stop watcher; }
for p in @PACKAGES@; do
  if [ -f "$config/.$p.$id.new" ]; then mv -f "$config/.$p.$id.new" "$config/$p"
  else rm -f "$config/$p"; fi || break
  p=
done
flush "$config"
if [ -n "$p" ]; then revert "$id"; stop full "$config"; fi
for p in @PACKAGES@; do [ ! -f "$config/$p" ] || cat "$config/$p" > "$s/c/$p"; done
newest_first | sed @KEEP@d | while read -r number old; do
  [ "$old" != "$id" ] && ! unfinished "$old" || continue
  mv "$state/$old" "$state/.$old" && rm -rf "$state/.$old"
done
# Until it is called pending or confirmed the watcher takes it back: then services run the old
# files again that were killed with us in the middle of this. That name is given in one step, and
# the watcher's too, so the lock is of no use any more.
release
reload_services "$s/failed" @PACKAGES@
await $! || { mv "$state/$id/applying" "$state/$id/reverting"; stop reverted; }
mv "$state/$id/applying" "$state/$id/@GOAL@" || stop reverted
flush "$state/$id"
[ @GOAL@ = pending ] || rm -f "$config"/.*."$id".old
for p in $(cat "$s/failed"); do say failed "$p"; done
for p in @PACKAGES@; do
  [ ! -f "$s/c/$p" ] || { echo "@MARK@ $p"; cat "$s/c/$p"; echo "@MARK@"; }
done
say done
"""
)

RELOAD = r"""
@FUNCTIONS@
s=/tmp/napalm-openwrt.@ID@; mkdir "$s" || exit 1
reload_services "$s/failed" @PACKAGES@
await $! || exit 1
failed=$(cat "$s/failed"); rm -rf "$s"
for p in $failed; do echo "@MARK@: failed $p"; done
echo "@MARK@: done"
"""

TELL = r"""
newest_first | while read -r number d; do
  where "$d" || continue
  left=0; case $at in applying|pending) left "$d";; esac
  who=; message=; { read -r b; read -r who; read -r message; } < "$state/$d/$at"
  echo "@MARK@: commit $d $at $left"; echo "@MARK@: owner $who"; echo "@MARK@: message $message"
done 2>/dev/null
"""

STATUS = f"""
@FUNCTIONS@
{NEWEST_FIRST}
ensure
{TELL}
echo "@MARK@: done"
"""

STATE_OF = r"""
@FUNCTIONS@
# A commit script may still be on its way: it does not begin once this is there.
where @ID@ || { folder "$run"; mkdir -p "$run/void.@ID@"; n=0
  # Whoever has the lock may have looked before; what it began is there when it lets go.
  until take "a question about commit @ID@" || [ $n -ge 20 ]; do sleep 1; n=$((n + 1)); done
  [ -n "$held" ] || { echo "@MARK@: locked $who"; exit 0; }
  release; }
where @ID@
echo "@MARK@: state $at"
ensure
"""

CONFIRM = r"""
@FUNCTIONS@
say() { echo "@MARK@: $*"; exit 0; }
id=@ID@
where "$id"; n=0
# Its services are still taking it over.
while [ "$at" = applying ] && left "$id" && [ "$left" -gt 0 ] && [ $n -lt 60 ]; do
  sleep 1; n=$((n + 1)); where "$id"
done
[ "$at" = pending ] || say state $at
left "$id"
# Its time is out, whoever was to see that: it is not ours to prolong.
[ "$left" -gt 0 ] || { ensure; say late; }
trap '' HUP INT PIPE TERM
mv "$state/$id/pending" "$state/$id/confirmed" 2>/dev/null || { where "$id"; say state $at; }
flush "$state/$id"
rm -f "$config"/.*."$id".old
say confirmed
"""

UNDO = (
    NEWEST_FIRST
    + r"""
@FUNCTIONS@
say() { echo "@MARK@: $*"; }
id=@ID@; n=0
until take @OWNER@; do
  [ $n -lt 5 ] || { say locked "$who"; exit 0; }
  sleep 1; n=$((n + 1))
done
trap '' HUP INT PIPE TERM
# Only now nobody begins another commit on top of it, whose old files would be what this one made.
newest=$(newest_first | while read -r number d; do
  where "$d"
  case $at in reverted|unknown) ;; *) echo "$d"; break;; esac
done)
where "$id"
if [ "$at" = confirmed ] && [ "$newest" != "$id" ]; then release; say newer "$newest"; exit 0; fi
if [ "$at" = confirmed ] && ! undo "$id"; then release; say full; exit 0; fi
revert "$id"; release; ensure
where "$id"
say state $at
"""
)


def by_stdin(name: str, script: str) -> tuple[str, str]:
    """The command that runs `script`, and what goes in on its standard input.

    `name` shows in the list of processes, where a holder of the lock is told by it. Cut short, the
    function is not closed, or not called.
    """
    return f': napalm-openwrt {name}; eval "$(cat)"', f"main() {{\n{script}\n}}\nmain\n"
