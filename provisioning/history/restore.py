"""A config that a device ran, as a candidate that puts it back: each secret that a credential holds
is the one that it holds now, as what was rotated since must stay rotated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from farola.errors import ProvisioningError
from napalm_openwrt.uci_text import UciSyntaxError, parse
from provisioning.history.configs import History, Version
from provisioning.history.secret_references import Reference, filled, references, uci_escaped


@dataclass(frozen=True)
class Candidate:
    """A config with its secrets in the clear, so no repr of it; `notes` are for a person."""

    text: str = field(repr=False)
    notes: tuple[str, ...] = ()


def candidate_of(
    history: History, version: Version, platform: str = "openwrt", *, as_it_was: bool = False
) -> Candidate:
    """The candidate that replaces what runs by `version`.

    Parameters
    ----------
    as_it_was
        Put back the secrets of that time too, whatever the credentials hold now.

    Raises
    ------
    ProvisioningError
        A secret is lost, or what was kept is no config that this platform takes.
    """
    kept = history.kept_text(version)
    was = history.secrets.values(kept)
    notes: list[str] = []

    def value(one: Reference) -> str:
        old = was(one)
        if as_it_was or not one.name:
            return old
        now = history.secrets.current(one.name, one.field)
        if now is None:
            notes.append(f"credential {one.name} has no {one.field} any more: the kept one is used")
            return old
        raw = uci_escaped(now) if platform == "openwrt" else now
        if raw != old:
            notes.append(
                f"{one.field} of credential {one.name} was changed since: the new one is used"
            )
        return raw

    text = filled(kept, _once(value))
    if platform == "openwrt":
        try:
            config = parse(text)
        except UciSyntaxError as error:
            raise ProvisioningError(
                f"version {version.mark} of {version.device_id} is no config that uci reads "
                f"({error}): choose another"
            ) from None
        if not config or any(one.fingerprint and kept == str(one) for one in references(kept)):
            raise ProvisioningError(
                f"version {version.mark} of {version.device_id} is no config that can be put back: "
                "choose another"
            )
    return Candidate(text, tuple(dict.fromkeys(notes)))


def _once(value: Callable[[Reference], str]) -> Callable[[Reference], str]:
    """`value`, asked once for each reference."""
    known: dict[Reference, str] = {}

    def ask(one: Reference) -> str:
        if one not in known:
            known[one] = value(one)
        return known[one]

    return ask
