"""Who may send traps: devices by address and name, with the communities and users they may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from collectors.snmp.book import SYS_NAME, text_of
from collectors.snmp.model import Target, Usm
from collectors.snmp.notification import TRAP_ADDRESS, Notification


def plain_address(text: str) -> str:
    """An address in its one form: an IPv4 address that a socket of IPv6 shows as that, without a
    zone. What is no address stays as it is.
    """
    if ":" not in text:
        return text
    try:
        address = IPv6Address(text.partition("%")[0])
    except ValueError:
        return text
    return str(address.ipv4_mapped or address)


@dataclass(frozen=True)
class Senders:
    """Devices by address and by name, and what proves that a notification is theirs.

    A device whose credential is one of v3 is not believed by a community, unless its credential
    holds one too.
    """

    by_address: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by_name: Mapping[str, str] = field(default_factory=dict)
    by_mac: Mapping[str, str] = field(default_factory=dict)
    communities: Mapping[str, frozenset[bytes]] = field(default_factory=dict, repr=False)
    """By address; the empty address holds all of them."""
    users: Mapping[str, tuple[Usm, ...]] = field(default_factory=dict, repr=False)
    """By address."""
    users_by_name: Mapping[str, tuple[Usm, ...]] = field(default_factory=dict, repr=False)
    """Of the whole city, for senders whose address is nobody's."""
    own: Mapping[str, tuple[bytes, Usm | None]] = field(default_factory=dict, repr=False)
    """Community and user of each device: what proves that a name is its own."""

    @classmethod
    def of(
        cls,
        targets: Iterable[Target],
        by_name: Mapping[str, str],
        by_mac: Mapping[str, str] | None = None,
    ) -> Senders:
        """The senders that the devices of a poll are."""
        ids: dict[str, list[str]] = {}
        communities: dict[str, set[bytes]] = {"": set()}
        users: dict[str, dict[Usm, None]] = {}
        named: dict[str, dict[Usm, None]] = {}
        own: dict[str, tuple[bytes, Usm | None]] = {}
        for target in targets:
            own[target.device_id] = (target.community.encode(), target.usm)
            # It may send from any address that it may answer from.
            for address in {plain_address(a) for a in (target.address, *target.answers_from)}:
                ids.setdefault(address, []).append(target.device_id)
                known = communities.setdefault(address, set())
                if target.community:
                    known.add(target.community.encode())
                    communities[""].add(target.community.encode())
                if target.usm is not None:
                    users.setdefault(address, {})[target.usm] = None
                    named.setdefault(target.usm.user, {})[target.usm] = None
        return cls(
            {address: tuple(found) for address, found in ids.items()},
            dict(by_name),
            dict(by_mac or {}),
            {address: frozenset(found) for address, found in communities.items()},
            {address: tuple(found) for address, found in users.items()},
            {name: tuple(found) for name, found in named.items()},
            own,
        )

    def trusts(self, community: bytes, source: str) -> bool:
        """Whether the community is one that the device at `source` (or, if none, any) has."""
        return community in self.communities.get(
            source if source in self.by_address else "", frozenset()
        )

    def place(self, source: str) -> str:
        """The device at an address; the address itself where several share it, empty where it is
        nobody's.
        """
        here = self.by_address.get(source, ())
        return here[0] if len(here) == 1 else source if here else ""

    def users_at(self, source: str) -> Callable[[bytes], Sequence[Usm]]:
        """Who may sign messages from `source`, by name."""

        def named(name: bytes) -> Sequence[Usm]:
            user = name.decode("utf-8", "replace")
            if source in self.by_address:
                return [usm for usm in self.users.get(source, ()) if usm.user == user]
            return self.users_by_name.get(user, ())

        return named

    def device_of(self, notification: Notification, source: str) -> str | None:
        """The device that sent it: by address, else by sysName or the address it names itself, and
        then only where the community or user is that device's own.
        """
        here = self.by_address.get(source, ())
        if len(here) == 1:
            return here[0]
        named = self.by_name.get(text_of(notification.values.get(SYS_NAME)) or "")
        if named is not None and (not here or named in here):
            return named if self._proves(notification, named) else None
        told = notification.values.get(TRAP_ADDRESS)
        if isinstance(told, bytes) and len(told) == 4:
            there = self.by_address.get(".".join(map(str, told)), ())
            if len(there) == 1 and self._proves(notification, there[0]):
                return there[0]
        return None

    def _proves(self, notification: Notification, device_id: str) -> bool:
        community, usm = self.own.get(device_id, (b"", None))
        if notification.usm is not None:
            return notification.usm == usm
        return bool(community) and notification.community == community

    def access_point(self, told: Mapping[str, str]) -> str | None:
        """The device that a controller speaks of, by its MAC, else by its name."""
        return self.by_mac.get(told.get("mac", "")) or self.by_name.get(told.get("name", ""))
