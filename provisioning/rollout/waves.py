"""Who is in which wave of a rollout: a canary first, then waves that grow, spread over sites and
over what hangs on one upstream device; whatever hangs on a device of the change goes before it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from provisioning.rollout.policy import Policy


@dataclass(frozen=True)
class Domains:
    """How large the failure domains are in the whole inventory, by their ids."""

    sites: Mapping[str, int] = field(default_factory=dict)
    upstreams: Mapping[str, int] = field(default_factory=dict)


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
