"""Whether a rollout may go on: pure thresholds on counts, unreachable devices apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from provisioning.rollout.policy import Policy

UNREACHABLE_SHARE = 0.5
"""Above this share of unreachable devices a wave says nothing about the change."""
UNREACHABLE_SAMPLE = 4
FAILED, UNREACHABLE = "failed", "unreachable"
TAKEN = frozenset({"pushed", "unchanged", "held"})
BAD = frozenset({"failed", "applying", "unconfirmed"})
AWAY = "queued"


@dataclass(frozen=True)
class Counts:
    """What became of devices of this push so far, and of those of the newest wave."""

    wave: int = 0
    """Devices of the newest wave, all."""
    wave_failed: int = 0
    """Of those, the ones that did not take the change, or did worse afterwards."""
    wave_unreachable: int = 0
    tried: int = 0
    """Devices of all waves of this push that were reached."""
    failed: int = 0
    unreachable: int = 0


@dataclass(frozen=True)
class Verdict:
    """Whether to halt, and why in words; `kind` is `failed`, `unreachable` or ""."""

    halt: bool
    why: str = ""
    kind: str = ""


def tally(wave: Mapping[str, str], before: Counts) -> Counts:
    """Counts after a wave: `wave` holds what became of each of its devices, `before` those of the
    waves before. A device that drifted, or whose turn did not come, says nothing of the change.
    """
    found = Counter(wave.values())
    failed = sum(found[status] for status in BAD)
    return Counts(
        len(wave), failed, found[AWAY],
        before.tried + failed + sum(found[status] for status in TAKEN),
        before.failed + failed, before.unreachable + found[AWAY],
    )  # fmt: skip


def judge(counts: Counts, policy: Policy) -> Verdict:
    """Judge the push after a wave, or in the middle of one."""
    if counts.wave_failed and counts.wave < policy.stop_sample:
        return Verdict(
            True, f"{counts.wave_failed} of {counts.wave} devices of the wave failed, and in one "
            f"of fewer than {policy.stop_sample} none may", FAILED,
        )  # fmt: skip
    if counts.failed >= policy.stop_count:
        return Verdict(
            True, f"{counts.failed} devices failed: {policy.stop_count} are enough to halt", FAILED
        )
    if counts.tried >= policy.stop_sample and counts.failed:
        share = counts.failed / counts.tried
        if share >= policy.stop_share:
            return Verdict(
                True, f"{counts.failed} of {counts.tried} devices failed: {share:.1%} is not less "
                f"than {policy.stop_share:.1%}", FAILED,
            )  # fmt: skip
    for unreachable, among, where in (
        (counts.wave_unreachable, counts.wave, "of the wave"),
        (counts.unreachable, counts.tried + counts.unreachable, "of this push"),
    ):
        if among >= UNREACHABLE_SAMPLE and unreachable > UNREACHABLE_SHARE * among:
            return Verdict(
                True, f"{unreachable} of {among} devices {where} cannot be reached: is the network "
                "at fault?", UNREACHABLE,
            )  # fmt: skip
    return Verdict(False)
