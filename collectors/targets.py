"""Which devices of the inventory are polled, and with which community."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from collectors.snmp.model import Target
from farola.keys import Keyring
from inventory.queries import devices, secrets
from inventory.records import DeviceRecord

POLLABLE_ROLES = frozenset({"access-point", "switch", "router", "gateway", "controller"})
DEFAULT_COMMUNITY = "public"
ValuesOf = Callable[[str], Mapping[str, str]]


@dataclass(frozen=True)
class Targets:
    """Devices to poll; live ones that cannot be polled are `skipped`, and `notes` say why."""

    polled: tuple[Target, ...]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]
    names: dict[str, str]
    """Device id by sysName (the device's name), where the name is its alone."""
    macs: dict[str, str] = field(default_factory=dict)
    """Device id by its own MAC address, lower case with colons."""


def choose_targets(session: Session, keyring: Keyring) -> Targets:
    """All live devices of a pollable role that have a management address."""
    return plan_targets(devices(session), lambda name: secrets(session, name, keyring).values)


def plan_targets(records: Iterable[DeviceRecord], values_of: ValuesOf) -> Targets:
    """See `choose_targets`; `values_of` opens a credential by name."""
    polled: list[Target] = []
    without_address: list[str] = []
    without_community: dict[str, list[str]] = {}
    without_credential = 0
    opened: dict[str, str] = {}
    live = [one for one in records if one.status == "live" and one.role in POLLABLE_ROLES]
    for one in live:
        if not one.management_address:
            without_address.append(one.id)
            continue
        community = DEFAULT_COMMUNITY
        if one.credential_name is None:
            without_credential += 1
        else:
            if one.credential_name not in opened:
                held = values_of(one.credential_name)
                opened[one.credential_name] = held.get("snmp_community", "")
            community = opened[one.credential_name]
            if not community:
                without_community.setdefault(one.credential_name, []).append(one.id)
                continue
        polled.append(Target(one.id, one.management_address, one.snmp_port, community))
    return Targets(
        polled=tuple(polled),
        skipped=(*without_address, *(i for ids in without_community.values() for i in ids)),
        notes=tuple(_notes(len(without_address), without_community, without_credential)),
        names=_unique_names(live),
        macs={one.mac.lower(): one.id for one in live if one.mac},
    )


def _notes(
    without_address: int, without_community: Mapping[str, Sequence[str]], without_credential: int
) -> Iterator[str]:
    if without_address:
        yield (
            f"live devices skipped because they have no management address: {without_address}; "
            "adopt them with `farola device adopt`"
        )
    for name, ids in without_community.items():
        yield (
            f"devices skipped because credential {name!r} holds no snmp_community: {len(ids)}; "
            f"store it with `farola device credential {name} --field snmp_community`"
        )
    if without_credential:
        yield (
            f"devices without a credential, asked with the community {DEFAULT_COMMUNITY!r}: "
            f"{without_credential}"
        )


def _unique_names(records: Sequence[DeviceRecord]) -> dict[str, str]:
    uses = Counter(one.name for one in records)
    return {one.name: one.id for one in records if uses[one.name] == 1}
