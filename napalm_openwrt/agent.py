"""What stays on the device: a small script that takes back what nobody confirmed.

It is an init script, `/etc/init.d/napalm-openwrt`, which runs before the network is started, and
the watcher of a commit. A commit is a folder of `/etc/napalm-openwrt`, named by its id: `old/`
holds the files before it, and exactly one file, whose name is how the commit stands, says the rest:

    applying → pending → confirmed
        ↘         ↘          ↘  (a rollback)
               reverting  →  reverted

Each arrow is one rename, so two that want to go different ways cannot both have theirs. Until a
commit is confirmed or reverted no other begins. A lock is the highest number in a folder in
memory, a link that names its holder: a holder that died is told from one that lives, whatever it
died of.
"""

from __future__ import annotations

import re

STATE = "/etc/napalm-openwrt"
"""On flash: one folder a commit."""
LOCK = "/var/lock/napalm-openwrt"
"""In memory, so that a reboot frees it."""
START = "09"
"""Before S10boot, which makes up configs that are missing, and S20network, which starts netifd."""
LINK = f"/etc/rc.d/S{START}napalm-openwrt"

FUNCTIONS = r"""
umask 077
state=/etc/napalm-openwrt; config=/etc/config; agent=/etc/init.d/napalm-openwrt
# In memory: who watches which commit, and which ids may not begin any more.
run=/var/run/napalm-openwrt; lock=/var/lock/napalm-openwrt; held=

# Where `sync` knows no names it syncs everything, which is as good and slower.
flush() { sync "$@" 2>/dev/null || sync; }
sum() { [ -f "$1" ] && sha256sum < "$1" | cut -d ' ' -f 1 || echo absent; }

# Folders above are others' too.
folder() { (umask 022; mkdir -p "${1%/*}"); mkdir -p "$1"; }

# A process of ours: it lives, and is a script that speaks of us.
alive() {
  [ -n "$1" ] && kill -0 "$1" 2>/dev/null || return 1
  [ ! -r "/proc/$1/cmdline" ] || grep -q napalm-openwrt "/proc/$1/cmdline"
}

# The lock: 0 when it is ours, for "$1"; else `who` has it. Numbers only go up, and the highest
# counts: who saw the highest without a living holder makes the next, and only one can.
take() {
  folder "$lock"; top=0
  for l in "$lock"/*; do [ "${l##*/}" = "*" ] || [ "${l##*/}" -le "$top" ] || top=${l##*/}; done
  holder=$(readlink "$lock/$top"); who=${holder#*/}; holder=${holder%%/*}
  [ "$holder" = $$ ] || ! alive "$holder" || return 1
  who="a session that came at the same time"; held=$((top + 1))
  ln -s "$$/$1" "$lock/$held" 2>/dev/null || { held=; return 1; }
  for l in "$lock"/*; do
    [ "${l##*/}" -le "$held" ] || { rm -f "$lock/$held"; held=; return 1; }
  done
  for l in "$lock"/*; do [ "${l##*/}" -ge "$held" ] || rm -f "$l"; done
}
release() {
  [ -z "$held" ] || { ln -s "free/" "$lock/$((held + 1))" && rm -f "$lock/$held"; held=; }
} 2>/dev/null

# How commit $1 stands, in `at`. States only follow each other in this order, so none is missed.
where() {
  for at in applying pending confirmed reverting reverted; do
    [ ! -f "$state/$1/$at" ] || return 0
  done
  at=unknown; return 1
}
unfinished() { where "$1" && case $at in applying|pending|reverting) return 0;; esac; return 1; }

# Seconds that commit $1 has left, in `left`; by the clock since boot, which nobody sets.
left() {
  left=0
  { read -r b deadline < "$state/$1/$at"; read -r boot < /proc/sys/kernel/random/boot_id
    read -r up rest < /proc/uptime; } 2>/dev/null
  case "$deadline" in ""|*[!0-9]*) deadline=0;; esac
  [ "$b" != "$boot" ] || [ "$deadline" -le "${up%%.*}" ] || left=$((deadline - ${up%%.*}))
}

# Puts back what commit $1 replaced; as often as it takes. The copies were made when there was
# room for them, so that only renames are left to do.
put_back() {
  ok=1
  for f in "$state/$1/old"/*; do
    [ -f "$f" ] || continue
    p=${f##*/}
    case "$p" in *.absent) rm -f "$config/${p%.absent}" || ok=; continue;; esac
    cmp -s "$f" "$config/$p" && continue
    beside "$1" "$p" && mv -f "$config/.$p.$1.old" "$config/$p" || ok=
  done
  flush "$config"
  [ -n "$ok" ]
}
# The old file of package $2 beside the new one; a second name of the snapshot's takes no room.
beside() {
  cmp -s "$state/$1/old/$2" "$config/.$2.$1.old" && return
  rm -f "$config/.$2.$1.old"
  ln "$state/$1/old/$2" "$config/.$2.$1.old" 2>/dev/null ||
    { cp -p "$state/$1/old/$2" "$config/.$2.$1.old" && flush "$config/.$2.$1.old"; }
}
packages() {
  for f in "$state/$1/old"/*; do [ ! -f "$f" ] || { f=${f##*/}; echo "${f%.absent}"; }; done
}

# Services, in the background and without our streams: it goes on when that cuts a connection.
# Many stock scripts end with a test's status, so a status alone says nothing. A service failed
# where its script cannot be run, was killed, or both complains and ends with a bad status.
reload() {
  p=$1; shift
  "$@" 2> "$out.err" && return
  [ $? -lt 126 ] && [ ! -s "$out.err" ] || echo "$p" >> "$out"
}
reload_services() {
  out=$1; shift; : > "$out"
  (
    umask 022; rest=
    for p; do
      if [ "$p" = wireless ] && command -v wifi > /dev/null; then reload "$p" wifi reload
      elif [ -x "/etc/init.d/$p" ]; then reload "$p" "/etc/init.d/$p" reload
      else rest=1; fi
    done
    if [ -n "$rest" ] && command -v reload_config > /dev/null; then reload_config; fi
    : > "$out.done"
  ) < /dev/null > /dev/null 2>&1 &
}

# Until the services have reloaded, but not for ever: some hang. 1: that was killed half-way.
await() {
  n=0
  while kill -0 "$1" 2>/dev/null; do
    [ $n -lt 300 ] || { echo "some-hang" >> "$out"; return 0; }
    sleep 0.2 2>/dev/null || { sleep 1; n=$((n + 4)); }
    n=$((n + 1))
  done
  [ -f "$out.done" ]
}

# Brings commit $1, if it is not confirmed, back to the old config, whoever began that; the lock is
# ours. "$2" is `boot` where no service runs yet. 1: it could not be done now. The services take the
# old files over before it is called reverted: who is killed in between leaves it to the next.
revert() {
  where "$1"
  case $at in
    applying|pending) mv "$state/$1/$at" "$state/$1/reverting" || return 1;;
    reverting) ;;
    *) return 0;;
  esac
  flush "$state/$1"
  put_back "$1" || return 1
  if [ "$2" != boot ]; then
    folder "$run"; reload_services "$run/$1.reload" $(packages "$1"); await $!; told=$?
    rm -f "$run/$1.reload" "$run/$1.reload".*
    [ $told = 0 ] || return 1
  fi
  mv "$state/$1/reverting" "$state/$1/reverted" || return 1
  flush "$state/$1"
  rm -rf "$state/$1/old" "$config"/.*."$1".old "$config"/.*."$1".new
}

# The same for a confirmed commit: from here on it is one more that has to end on the old config.
undo() {
  for p in $(packages "$1"); do
    [ ! -f "$state/$1/old/$p" ] || beside "$1" "$p" || return 1
  done
  flush "$config"
  mv "$state/$1/confirmed" "$state/$1/reverting"
}

start_watcher() {
  folder "$run"
  if command -v setsid > /dev/null; then setsid "$agent" guard "$1" &
  else "$agent" guard "$1" & fi < /dev/null > /dev/null 2>&1
}
# Each unfinished commit has a living watcher, or gets one.
ensure() {
  for d in "$state"/*-*; do
    unfinished "${d##*/}" || continue
    pid=; read -r pid < "$run/${d##*/}"
    alive "$pid" || start_watcher "${d##*/}"
  done
} 2>/dev/null
"""

_MAIN = r"""
# Acts on this one commit only, and for as long as it takes.
watch() {
  trap '' HUP INT PIPE TERM
  folder "$run"; echo $$ > "$run/$1"
  while unfinished "$1"; do
    if [ "$at" != reverting ] && left "$1" && [ "$left" -gt 0 ]; then sleep 1; continue; fi
    if take "the watcher of commit $1"; then
      # Confirmed while we waited for the lock: nothing to do.
      if unfinished "$1"; then revert "$1" || sleep 5; fi
      release
    else sleep 1; fi
  done
  rm -f "$run/$1"
}

# Starts the watcher again should it be killed: where the config cut everybody off, nobody comes by
# to do so. Killed itself, it leaves the watcher at work.
guard() {
  trap '' HUP INT PIPE TERM
  while unfinished "$1"; do
    "$agent" watch "$1" &
    wait $! || sleep 1
  done
}

# Before any service runs, what was not confirmed before the power went is taken back.
at_boot() {
  # Under another name, or a second time, a person calls: services run, and have to be told of old
  # files.
  [ "${0##*/}" = S@START@napalm-openwrt ] && [ ! -d "$run/boot" ] || { ensure; return; }
  folder "$run/boot"
  # Where no lock can be made, nobody else has one.
  take "the check at boot" || { sleep 1; take "the check at boot"; } || ! alive "$holder" ||
    { ensure; return; }
  for d in "$state"/*-*; do
    unfinished "${d##*/}" || continue
    # Begun since the boot, so the power did not go: its watcher knows when it is time.
    b=; boot=; left "${d##*/}"
    [ -z "$b" ] || [ "$b" != "$boot" ] || continue
    logger -t napalm-openwrt "commit ${d##*/} was not confirmed: the old config is put back"
    revert "${d##*/}" boot
  done
  for d in "$state"/*-*; do ! unfinished "${d##*/}" || { release; ensure; return; }; done
  [ -z "$held" ] || rm -rf "$state"/.*-???????? "$config"/.*.??????????????-????????.???
  release
}

case "$1" in
  boot) at_boot;;
  # A person's: nothing is taken back before its time, nor without the lock.
  start) ensure;;
  guard) guard "$2";;
  watch) watch "$2";;
  enable) umask 022; mkdir -p /etc/rc.d && ln -sf ../init.d/napalm-openwrt @LINK@;;
  disable) rm -f @LINK@;;
  enabled) [ -h @LINK@ ];;
  *) exit 0;;
esac
"""


def fill(script: str, **values: str) -> str:
    """`script` with each @NAME@ as the value given; what a value holds is not looked at again."""
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1].lower()], script)


AGENT_TEXT = (
    f"#!/bin/sh\n# Takes back a commit of the NAPALM driver napalm_openwrt that nobody confirmed.\n"
    f"START={START}\n{FUNCTIONS}{fill(_MAIN, link=LINK, start=START)}"
)
