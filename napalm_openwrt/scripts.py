"""The scripts that run on the device: plain busybox ash and `uci`.

Whatever they are told to do, the files of /etc/config are replaced only by atomic renames, after
a snapshot of the old ones is on flash. What they say begins with a mark that no config can hold.
"""

STATE = "/etc/napalm-openwrt"
"""On flash: one folder a commit, with the files as they were before it."""
LOCK = "/var/lock/napalm-openwrt"
"""In memory, so that a reboot frees it."""
SNAPSHOTS = 5
STALE_S = 3600
"""Age in seconds at which a scratch folder is one that a cut connection left: no command of
ours runs that long."""

SWEEP = r"""
# Folders' names begin with the time by our clock: the device's jumps when it learns the date.
for d in /tmp/napalm-openwrt.??????????????-????????; do
  [ "$(printf '%%s\n' "$d" /tmp/napalm-openwrt.%(stale)s | sort | head -n 1)" != "$d" ] ||
    rm -rf "$d"
done
"""

READ = r"""
umask 077
for p in %(packages)s; do
  f=/etc/config/$p
  [ -f "$f" ] || continue
  case "${f##*/}" in *.*) continue;; esac
  echo "%(mark)s ${f##*/}"; cat "$f" || exit 1; echo "%(mark)s"
done
"""

STAGE = r"""
umask 077
s=/tmp/napalm-openwrt.%(id)s
# What ends the shell by a signal does not run its EXIT trap.
trap 'rm -rf "$s"' EXIT
trap 'exit 1' HUP INT PIPE TERM
%(sweep)s
mkdir "$s" && mkdir "$s/c" || exit 1
cat > "$s/in" || exit 1
if ! uci -c "$s/c" import < "$s/in"; then echo "%(mark)s: refused"; exit 0; fi
for f in "$s"/c/*; do
  [ -f "$f" ] || continue
  echo "%(mark)s ${f##*/}"; cat "$f"; echo "%(mark)s"
done
"""

COMMIT = r""": napalm-openwrt commit
umask 077
id=%(id)s; lock=%(lock)s; state=%(state)s; s=/tmp/napalm-openwrt.$id; mine=; clearing=
say() { echo "%(mark)s: $*"; }
tidy() {
  for p in %(packages)s; do rm -f "/etc/config/.$p.$id"; done
  rm -rf "$s" "$state/.$id"
  [ -z "$mine" ] || rm -rf "$lock"
  [ -z "$clearing" ] || rmdir "$lock.clear"
}
trap tidy EXIT
trap 'exit 1' HUP INT PIPE TERM
stop() { say "$@"; exit 0; }
sum() { [ -f "$1" ] && sha256sum < "$1" | cut -d ' ' -f 1 || echo absent; }
# Where `sync` knows no names it syncs everything, which is as good and slower.
flush() { sync "$@" 2>/dev/null || sync; }

# The owner is alive if its process is, and is a script that begins as this one does.
alive() {
  kill -0 "$1" 2>/dev/null || return 1
  [ ! -r "/proc/$1/cmdline" ] || grep -q napalm-openwrt "/proc/$1/cmdline"
}
owner() { pid=; who=; read -r pid who < "$lock/owner"; } 2>/dev/null
mkdir -p "${lock%%/*}"
if ! mkdir "$lock" 2>/dev/null; then
  # A lock just taken has no owner yet.
  owner || { sleep 1; owner; }
  [ -z "$pid" ] || ! alive "$pid" || stop locked "$who"
  # Only who holds the second folder may clear a lock away, and only if it still is the dead one.
  mkdir "$lock.clear" 2>/dev/null || stop locked "a session that came at the same time"
  clearing=1; dead=$pid; owner
  [ "$pid" = "$dead" ] && rm -rf "$lock" && mkdir "$lock" 2>/dev/null ||
    stop locked "a session that came at the same time"
fi
mine=1
echo "$$ "%(owner)s > "$lock/owner"
[ -z "$clearing" ] || { rmdir "$lock.clear"; clearing=; }

# What a power cut left behind.
rm -rf "$state"/.*-???????? /etc/config/.*.??????????????-????????
%(sweep)s

mkdir "$s" && mkdir "$s/c" && cat > "$s/in" || stop full /tmp
[ "$(sum "$s/in")" = %(input_sum)s ] || stop cut
%(fill)s
%(checks)s

mkdir -p "$state/.$id" || stop full "$state"
for p in %(packages)s; do
  f=/etc/config/$p; n=/etc/config/.$p.$id
  if [ -f "$f" ]; then
    cp -p "$f" "$state/.$id/$p" && cmp -s "$f" "$state/.$id/$p" || stop full "$state"
    cp -p "$f" "$n" || stop full /etc/config
  else
    : > "$state/.$id/$p.absent" || stop full "$state"
  fi
  if [ -f "$s/c/$p" ]; then
    cat "$s/c/$p" > "$n" && cmp -s "$s/c/$p" "$n" || stop full /etc/config
  fi
done
flush "$state/.$id"/* "$state/.$id" /etc/config/.*."$id" /etc/config
mv "$state/.$id" "$state/$id" || stop full "$state"
flush "$state"
# From here to the end of the renames nothing of the connection can stop us half-way.
trap '' HUP INT PIPE TERM
for p in %(packages)s; do
  if [ -f "$s/c/$p" ]; then mv -f "/etc/config/.$p.$id" "/etc/config/$p"
  else rm -f "/etc/config/$p"; fi
done
flush /etc/config
ls "$state" | sort -r | sed 1,%(keep)dd | while read old; do rm -rf "$state/$old"; done
%(drop)s
trap 'exit 1' HUP INT PIPE TERM
# Last, as the connection may be gone: all that has to be done is done.
for p in %(packages)s; do
  f=/etc/config/$p
  [ -f "$f" ] || continue
  echo "%(mark)s $p"; cat "$f"; echo "%(mark)s"
done
say done
"""

FILL_BY_UCI = 'uci -c "$s/c" import < "$s/in" || stop refused'
FILL_BY_SNAPSHOT = 'cp -p "$state/%s/"* "$s/c" && rm -f "$s"/c/*.absent || stop full /tmp'

RELOAD = r"""
umask 077
s=/tmp/napalm-openwrt.%(id)s; mkdir "$s" || exit 1
# In the background and without our streams: it goes on when a reload cuts the connection.
(
  failed= rest=
  # Many stock scripts end with a test's status, so a status alone says nothing. A service failed
  # where its script cannot be run, was killed, or both complains and ends with a bad status.
  reload() {
    p=$1; shift
    "$@" 2> "$s/err" && return
    [ $? -lt 126 ] && [ ! -s "$s/err" ] || failed="$failed $p"
  }
  for p in %(packages)s; do
    if [ "$p" = wireless ] && command -v wifi > /dev/null; then reload "$p" wifi reload
    elif [ -x "/etc/init.d/$p" ]; then reload "$p" "/etc/init.d/$p" reload
    else rest=1; fi
  done
  if [ -n "$rest" ] && command -v reload_config > /dev/null; then reload_config; fi
  echo "$failed" > "$s/failed"
) < /dev/null > /dev/null 2>&1 &
wait
failed=$(cat "$s/failed"); rm -rf "$s"
for p in $failed; do echo "%(mark)s: failed $p"; done
echo "%(mark)s: done"
"""

SNAPSHOT = r"""
cd %(state)s 2>/dev/null || exit 0
last=$(ls | sort | tail -n 1)
[ -n "$last" ] || exit 0
echo "%(mark)s: id $last"
for f in "$last"/*; do
  case "$f" in *.absent) n=${f##*/}; echo "%(mark)s: absent ${n%%.absent}"; continue;; esac
  echo "%(mark)s ${f##*/}"; cat "$f"; echo "%(mark)s"
done
"""
