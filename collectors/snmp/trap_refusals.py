"""Tells whose traps are refused, and why: a device may be set up wrongly."""

from __future__ import annotations

from farola.output import note

NAMED = 20
"""Refused senders that are told in `AGAIN_S`, one line each, and as many that are no device's."""
AGAIN_S = 3600.0

REFUSED = {
    "wrong_community": "its community is not that of the device's credential",
    "wrong_user": "no device there has a credential with that SNMPv3 user",
    "wrong_key": "signed or encrypted with another key than the credential's",
    "weak_level": "not signed as the device's credential asks for, or at a level it has no key for",
    "not_in_window": "older than its engine's clock: sent again by somebody, or the agent's "
    "engineBoots did not grow when it started",
}
_STRANGER = "no device has this address, and "
STRANGERS = {
    "wrong_community": f"{_STRANGER}no credential that community",
    "wrong_user": f"{_STRANGER}no credential that SNMPv3 user",
    "wrong_key": f"{_STRANGER}it is signed or encrypted with another key than that user's",
    "weak_level": f"{_STRANGER}it is not signed as that user's credential asks for",
    "not_in_window": f"{_STRANGER}it is older than its engine's clock",
}


class Refusals:
    """Names each refused sender once an hour; strangers, whose addresses may be made up, do not
    use up the lines of the devices.
    """

    def __init__(self) -> None:
        self._told: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
        self._since_s = 0.0

    def tell(self, outcome: str, source: str, now_s: float, *, known: bool) -> None:
        """Say that packets from `source` are refused, if that is news; `known` if it is the address
        of a device, `now_s` any steady clock.
        """
        if now_s - self._since_s >= AGAIN_S:
            self._told, self._since_s = {True: set(), False: set()}, now_s
        told = self._told[known]
        reason = (REFUSED if known else STRANGERS).get(outcome)
        if reason and len(told) < NAMED and (outcome, source) not in told:
            told.add((outcome, source))
            note(f"farola: traps from {source} are refused: {reason}")
