"""Takes the secrets out of a config, so that it can be kept where others may read it, and puts them
back. Pure functions; each platform has its own way to tell what is secret.

A secret becomes `{credential NAME FIELD FINGERPRINT}` where a stored credential holds it, else
`{secret FINGERPRINT}`. The fingerprint is keyed: it tells a changed secret from an unchanged one,
and nothing else.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote, unquote

REFERENCE = re.compile(
    r"\{(?:credential (?P<name>[!-~]+) (?P<field>\w+)|secret) (?P<fingerprint>[0-9a-f]{16})\}"
)
LEAST_ANYWHERE = 8
"""Characters from which on a credential's secret is looked for inside other text too."""
_VALUE = r"[^']*(?:'\\''[^']*)*"
_OPTION = re.compile(rf"^(\t(?:option|list) (\w+) ')({_VALUE})(?='$)", re.MULTILINE | re.ASCII)
_EXPORT = re.compile(
    rf"(?:\n|package [\w-]+\n|config [^\s']+(?: '\w+')?\n|\t(?:option|list) \w+ '{_VALUE}'\n)*",
    re.ASCII,
)
"""What `uci export` prints, and nothing that reads otherwise."""
_ANYWHERE = re.compile(
    # The password in a URL, and private keys.
    r"(?<=://)(?P<user>[^/\s:@'\"]*:)(?P<password>[^@\s'\"]+)(?=@)"
    r"|(?P<pem>-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))",
    re.DOTALL,
)
_TELLING = re.compile(r"snmp-server|username|secret|password|key|psk|passphrase|md5|sha")
_CISCO = re.compile(
    r"(?P<head>^.*\b(?:key|key-string|password|secret|[\w-]+-key|psk(?: ascii)?|passphrase)"
    r"(?: (?:\d{1,3}|sha\d+|md5))? )(?P<secret>\S+)(?=\s*$)"
)
_JUNOS = re.compile(
    r"(?P<head>(?:\S*(?:password|secret|-key|key-value)|community|ascii-text|hexadecimal)\s+)"
    r"(?P<secret>\"[^\"]*\"|[^\s;{}]+)(?=\s*(?:[;{]|$))",
    re.MULTILINE,
)
_ROUTEROS = re.compile(
    r"(?P<head>(?:^|\s)[\w.-]*(?:password|secret|passphrase|key|community|psk)[\w.-]*=)"
    r"(?P<secret>\"(?:[^\"\\]|\\.)*\"|\S+)", re.MULTILINE,
)  # fmt: skip

_OPEN, _CLOSE = "\ue000", "\ue001"
_HIDDEN = re.compile(f"{_OPEN}(\\d+){_CLOSE}")

Seal = Callable[[str], str]
"""Takes a secret, keeps it, and returns the reference that stands for it."""


@dataclass(frozen=True)
class Reference:
    """What stands in the place of a secret; name and field are empty if no credential holds it."""

    name: str
    field: str
    fingerprint: str

    def __str__(self) -> str:
        """As it stands in a kept config."""
        if self.name:
            return f"{{credential {quote(self.name, safe='')} {self.field} {self.fingerprint}}}"
        return f"{{secret {self.fingerprint}}}"


def canonical(text: str, platform: str = "openwrt") -> str:
    """`text` as it is kept: UCI in the form of `uci export`, all else as it is."""
    if platform != "openwrt" or _EXPORT.fullmatch(text):
        return text
    from napalm_openwrt.uci_text import UciSyntaxError, format_config, parse

    try:
        return format_config(parse(text))
    except UciSyntaxError:
        return text


def without_secrets(
    text: str, seal: Seal, platform: str = "openwrt", known: Iterable[str] = ()
) -> str:
    """`text`, which is canonical, with every secret as the reference that `seal` gives.

    `known` are secrets to look for anywhere. What cannot be read as its platform's config, or is of
    a platform whose secrets cannot be told, is one secret as a whole.
    """
    hide = PLATFORMS.get(platform)
    if hide is None or _OPEN in text or (platform == "openwrt" and not _EXPORT.fullmatch(text)):
        return seal(text) if text else ""
    hidden: list[str] = []

    def put(raw: str) -> str:
        """What stands for a secret until all are found: nothing that a pattern could take apart."""
        hidden.append(raw)
        return f"{_OPEN}{len(hidden) - 1}{_CLOSE}"

    def back(raw: str) -> str:
        return _HIDDEN.sub(lambda match: back(hidden[int(match[1])]), raw)

    # What already looks like a reference was written by somebody else: it must not be filled.
    text = hide(REFERENCE.sub(lambda match: put(match[0]), text), put)
    text = _ANYWHERE.sub(
        lambda match: put(match["pem"]) if match["pem"] else match["user"] + put(match["password"]),
        text,
    )
    for secret in sorted({one for one in known if len(one) >= LEAST_ANYWHERE}, key=len)[::-1]:
        if secret in text:
            text = put(secret).join(text.split(secret))
    return _HIDDEN.sub(lambda match: seal(back(hidden[int(match[1])])), text)


def filled(text: str, secret_of: Callable[[Reference], str]) -> str:
    """`text` with each reference replaced by what `secret_of` says."""
    return REFERENCE.sub(lambda match: secret_of(_reference(match)), text)


def references(text: str) -> list[Reference]:
    """All references in `text`, in order."""
    return [_reference(match) for match in REFERENCE.finditer(text)]


def nameless(text: str) -> str:
    """`text` with references that tell only the fingerprint: a renamed credential is no change."""
    return REFERENCE.sub(lambda match: f"{{{match['fingerprint']}}}", text)


def masked(text: str) -> str:
    """`text` with each reference as •••."""
    return REFERENCE.sub("•••", text)


def uci_escaped(value: str) -> str:
    """`value` as it stands between single quotes in UCI."""
    return value.replace("'", "'\\''")


def _reference(match: re.Match[str]) -> Reference:
    return Reference(unquote(match["name"] or ""), match["field"] or "", match["fingerprint"])


Put = Callable[[str], str]
Hide = Callable[[str, Put], str]


@functools.cache
def _is_secret(option: str) -> bool:
    from napalm_openwrt.uci_merge import SECRET_OPTION

    return SECRET_OPTION.fullmatch(option) is not None


def _hide_uci(text: str, put: Put) -> str:
    def one(match: re.Match[str]) -> str:
        return match[1] + put(match[3]) if match[3] and _is_secret(match[2]) else match[0]

    return _OPTION.sub(one, text)


def _hide_named(pattern: re.Pattern[str]) -> Hide:
    """Hides the pattern's group `secret`, after its group `head`."""

    def hide(text: str, put: Put) -> str:
        return pattern.sub(lambda match: match["head"] + put(match["secret"]), text)

    return hide


def _hide_napalm(name: str) -> Hide:
    """Hides what NAPALM's own filters of that name remove, and what else ends a line as a key."""

    @functools.cache
    def filters() -> Sequence[tuple[re.Pattern[str], str]]:
        from napalm.base import constants

        found: Mapping[str, str] = getattr(constants, name)
        return [(re.compile(pattern), to) for pattern, to in found.items()]

    more = _hide_named(_CISCO)

    def hide(text: str, put: Put) -> str:
        lines = text.split("\n")
        for number, line in enumerate(lines):
            if _TELLING.search(line):
                for pattern, to in filters():
                    if match := pattern.match(line):
                        line = _removed(match, to, put)  # noqa: PLW2901 - filters add up
                lines[number] = more(line, put)
        return "\n".join(lines)

    return hide


def _removed(match: re.Match[str], to: str, put: Put) -> str:
    """The line with what `to` calls `<removed>` put away; what the filter keeps is kept."""
    whole, kept = match[0], match.expand(to).split("<removed>")
    parts, position = [], 0
    for before, after in pairwise(kept):
        start = whole.index(before.rstrip(), position) + len(before.rstrip())
        end = whole.find(after.rstrip(), start + 1) if after.strip() else len(whole)
        lead = len(whole[start:end]) - len(whole[start:end].lstrip())
        secret = whole[start:end].strip()
        if not secret or end < 0:
            return whole
        parts += [whole[position : start + lead], put(secret)]
        position = start + lead + len(secret)
    return "".join([*parts, whole[position:]])


_cisco, _eos = _hide_napalm("CISCO_SANITIZE_FILTERS"), _hide_napalm("EOS_SANITIZE_FILTERS")
_junos, _routeros = _hide_named(_JUNOS), _hide_named(_ROUTEROS)
PLATFORMS: dict[str, Hide] = {
    "openwrt": _hide_uci, "eos": _eos, "ios": _cisco, "nxos": _cisco, "nxos_ssh": _cisco,
    "junos": _junos, "mikrotik_routeros": _routeros,
}  # fmt: skip
"""How the secrets of each platform are found; of all others a config is one secret as a whole."""
