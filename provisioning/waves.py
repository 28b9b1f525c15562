"""Who is in which wave of a rollout: a canary first, then waves that grow, spread over sites and
over what hangs on one upstream device; whatever hangs on a device of the change goes before it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from provisioning.policy import Policy


class Member(Protocol):
    """What is asked of a device here; `DeviceRecord` is one."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def site_id(self) -> str | None:
        """Where it is; None where nobody knows, which is a domain of its own."""


@dataclass(frozen=True)
class Domains:
    """How large the failure domains are in the whole inventory, by their ids."""

    sites: Mapping[str, int] = field(default_factory=dict)
    upstreams: Mapping[str, int] = field(default_factory=dict)


def make_waves(
    devices: Sequence[Member], policy: Policy, parents: Mapping[str, str],
    *, domains: Domains | None = None, step: int = 0,
) -> tuple[tuple[str, ...], ...]:  # fmt: skip
    """Part `devices` into waves; each is in exactly one.

    Parameters
    ----------
    parents
        Device → the device that it hangs on. A device is in a later wave than all of `devices`
        that hang on it, however far down; one of a circle is taken as if it were not in it.
    domains
        Sizes of the sites and of what hangs on one device; by default as `devices` say. A wave
        touches at most `policy.site_share` of either; one device it always may.
    step
        How many steps after the canary the first wave is.
    """
    left = {device.id: device.site_id for device in devices}
    sizes = domains or _domains(left, parents)
    waves = []
    while left:
        wave = next_wave(left, policy, parents, sizes, step)
        for device_id in wave:
            del left[device_id]
        waves.append(wave)
        step += 1
    return tuple(waves)


def _domains(sites: Mapping[str, str | None], parents: Mapping[str, str]) -> Domains:
    return Domains(
        Counter(site for site in sites.values() if site is not None),
        Counter(parents[device] for device in sites if device in parents),
    )


def next_wave(
    left: Mapping[str, str | None], policy: Policy, parents: Mapping[str, str], sizes: Domains,
    step: int,
) -> tuple[str, ...]:  # fmt: skip
    """The next wave out of `left`, devices and their sites: site by site in turn, the largest site
    first. It has a device at least, unless nothing is left.
    """
    size, canary = policy.size(step), step == 0
    queues: dict[tuple[int, str], deque[str]] = defaultdict(deque)
    for device_id in sorted(leaves(left, parents)):
        site = left[device_id]
        # A device without a site stands alone, after all sites.
        key = (0, f"\0{device_id}") if site is None else (-sizes.sites.get(site, 1), site)
        queues[key].append(device_id)
    room_site = {key[1]: _share(-key[0], policy.site_share) for key in queues}
    room_up: dict[str, int] = {}
    wave: list[str] = []
    turn = deque(sorted(queues))
    while turn and len(wave) < size:
        key = turn.popleft()
        chosen = _take(queues[key], parents, room_up, sizes, policy, canary=canary)
        if chosen is None:
            continue
        wave.append(chosen)
        room_site[key[1]] -= 1
        if queues[key] and room_site[key[1]] > 0:
            turn.append(key)
    return tuple(wave)


def _take(
    queue: deque[str], parents: Mapping[str, str], room: dict[str, int], sizes: Domains,
    policy: Policy, *, canary: bool,
) -> str | None:  # fmt: skip
    """The first of `queue` whose upstream has room left in this wave; others of it are passed."""
    while queue:
        device_id = queue.popleft()
        if device_id not in parents:
            return device_id
        upstream = parents[device_id]
        if upstream not in room:
            whole = sizes.upstreams.get(upstream, 1)
            room[upstream] = 1 if canary else _share(whole, policy.site_share)
        if room[upstream] > 0:
            room[upstream] -= 1
            return device_id
    return None


def leaves(left: Collection[str], parents: Mapping[str, str]) -> Iterable[str]:
    """Those on which nothing in `left` hangs, however far down; in a circle with nobody free, the
    first one by id.
    """
    above: set[str] = set()
    for device_id in left:
        at: str | None = parents.get(device_id)
        walked = {device_id}
        # What hangs on a device that is not in the change may still hang on one that is.
        while at is not None and at not in walked and at not in above:
            walked.add(at)
            above.add(at)
            at = parents.get(at)
    free = [device_id for device_id in left if device_id not in above]
    return free or sorted(left)[:1]


def _share(whole: int, share: float) -> int:
    return max(1, int(whole * share))
