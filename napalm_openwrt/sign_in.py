"""What lets a person in to an access point: root's password and dropbear's authorized keys.

Secrets go to the device on stdin, never in a command.
"""

from __future__ import annotations

import secrets
import shlex

from napalm.base.exceptions import CommandErrorException

from napalm_openwrt.session import Session

KEYS = "/etc/dropbear/authorized_keys"
PROOFS = "/etc/farola-voucher"
"""Where the command that a voucher comes with leaves the device's proofs."""

_CHANGE = r"""
umask 077
passwd root > /tmp/.passwd.$$ 2>&1; s=$?
[ $s = 0 ] || cat /tmp/.passwd.$$ >&2
rm -f /tmp/.passwd.$$
sync
exit $s
"""

_KEYS = r"""
umask 077
f=%(file)s; n=$f.%(id)s
mkdir -p "${f%%/*}"
trap 'rm -f "$n"' EXIT
read -r key
# The key itself tells one line from another, not the name that somebody gave it.
body=$(echo "$key" | cut -d ' ' -f 2)
[ -n "$body" ] || exit 1
[ -f "$f" ] || : > "$f"
{ grep -vF "$body" "$f"; %(add)s; } > "$n"
# Counted, as not every busybox tells that a flash was full.
[ "$(wc -l < "$n")" -eq $(($(grep -vcF "$body" "$f") + %(added)d)) ] ||
  { echo 'no room left on the flash' >&2; exit 1; }
chmod 600 "$n"
sync "$n" 2>/dev/null || sync
mv -f "$n" "$f" || exit 1
sync "${f%%/*}" 2>/dev/null || sync
"""


def set_password(session: Session, password: str) -> None:
    """Set root's password; CommandErrorException where the device refuses it."""
    output = session.run(_CHANGE, f"{password}\n{password}\n")
    if output.status:
        raise CommandErrorException(
            f"{session.access.name}: the password was not taken: {_line(output.stderr)}"
        )


def add_key(session: Session, public_key: str) -> None:
    """Let in who holds the private key of `public_key` (`ssh-ed25519 AAAA…`); twice is harmless."""
    _change_keys(session, public_key, 'echo "$key"', 1)


def remove_key(session: Session, public_key: str) -> None:
    """Let its holder in no longer; harmless where the key is not there."""
    _change_keys(session, public_key, ":", 0)


def _change_keys(session: Session, public_key: str, add: str, added: int) -> None:
    script = _KEYS % {
        "file": shlex.quote(KEYS), "id": secrets.token_hex(4), "add": add, "added": added,
    }  # fmt: skip
    output = session.run(script, f"{public_key.strip()}\n")
    if output.status:
        raise CommandErrorException(
            f"{session.access.name}: {KEYS} was not changed: {_line(output.stderr) or 'no word'}"
        )


def read_proofs(session: Session) -> list[str]:
    """What the voucher's command left on the device: a proof a host key; [] where it never ran."""
    output = session.run(f"cat {PROOFS} 2>/dev/null")
    return [line.strip() for line in output.stdout.splitlines() if line.strip()]


def forget_proofs(session: Session) -> None:
    """Take the proofs away."""
    session.run(f"rm -f {PROOFS}; sync")


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]
