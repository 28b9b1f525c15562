"""Which devices of the inventory are polled, by which SNMP version and as whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from collectors.access import Access, AccessError, read_access
from collectors.snmp.model import DEADLINE_S, Target
from farola.errors import FarolaError
from farola.keys import Keyring
from inventory.queries import devices, secrets
from inventory.records import DeviceRecord

POLLABLE_ROLES = frozenset({"access-point", "switch", "router", "gateway", "controller"})
CONTROLLER_DEADLINE_S = 50.0
"""For all answers of a controller: thousands of access points are some 1,400 packets, one after the
other, and are told within the usual minute.
"""
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
    reported: tuple[str, ...] = ()
    """Devices without an address of their own, of which their controllers tell."""


def choose_targets(session: Session, keyring: Keyring) -> Targets:
    """All live devices of a pollable role that have a management address."""
    return plan_targets(devices(session), lambda name: secrets(session, name, keyring).values)


def plan_targets(records: Iterable[DeviceRecord], values_of: ValuesOf) -> Targets:
    """See `choose_targets`; `values_of` opens a credential by name."""
    polled: list[Target] = []
    reported: list[str] = []
    without_address: list[str] = []
    unusable: dict[str, list[str]] = {}
    without_credential = 0
    opened: dict[str, Access] = {}
    problems: dict[str, AccessError] = {}
    live = [one for one in records if one.status == "live" and one.role in POLLABLE_ROLES]
    for one in live:
        if not one.management_address:
            (reported if one.controller_id else without_address).append(one.id)
            continue
        name = one.credential_name
        if name is None:
            without_credential += 1
            access = Access(community=DEFAULT_COMMUNITY)
        else:
            if name not in opened and name not in problems:
                try:
                    opened[name] = read_access(values_of(name))
                except AccessError as error:
                    problems[name] = error
                except FarolaError as error:  # encrypted with another key, or gone
                    problems[name] = AccessError(f"cannot be opened ({error})", "")
            if name in problems:
                unusable.setdefault(name, []).append(one.id)
                continue
            access = opened[name]
        polled.append(_target(one, one.management_address, access))
    return Targets(
        polled=tuple(polled),
        skipped=(*without_address, *(i for ids in unusable.values() for i in ids)),
        notes=tuple(_notes(len(without_address), unusable, problems, without_credential)),
        names=_unique_names(live),
        macs={one.mac.lower(): one.id for one in live if one.mac},
        reported=tuple(reported),
    )


def _target(one: DeviceRecord, address: str, access: Access) -> Target:
    return Target(
        one.id, address, one.snmp_port, access.community,
        deadline_s=CONTROLLER_DEADLINE_S if one.role == "controller" else DEADLINE_S,
        version=access.version, usm=access.usm,
        answers_from=frozenset(one.snmp_answers_from.split()),
    )  # fmt: skip


def _notes(
    without_address: int,
    unusable: Mapping[str, Sequence[str]],
    problems: Mapping[str, AccessError],
    without_credential: int,
) -> Iterator[str]:
    if without_address:
        yield (
            f"live devices skipped because they have no management address: {without_address}; "
            "adopt them with `farola device adopt`"
        )
    for name, ids in unusable.items():
        field_name = problems[name].field
        what = f"{name} --field {field_name}" if field_name else name
        yield (
            f"devices skipped because credential {name!r} {problems[name]}: {len(ids)}; "
            f"store it with `farola device credential {what}`"
        )
    if without_credential:
        yield (
            f"devices without a credential, asked with the community {DEFAULT_COMMUNITY!r}: "
            f"{without_credential}"
        )


def _unique_names(records: Sequence[DeviceRecord]) -> dict[str, str]:
    uses = Counter(one.name for one in records)
    return {one.name: one.id for one in records if uses[one.name] == 1}
