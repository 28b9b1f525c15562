"""Waves, thresholds and windows: the pure parts of a rollout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farola.errors import ProvisioningError
from farola.settings import ProvisioningSettings
from provisioning.change.gates import read_windows, window_gate
from provisioning.rollout.fleet import Fleet, held_back
from provisioning.rollout.judge import FAILED, UNREACHABLE, Counts, judge, tally
from provisioning.rollout.policy import Policy, policy_of, read_waves
from provisioning.rollout.waves import Domains, next_wave

CITY = ZoneInfo("America/Mexico_City")


@dataclass(frozen=True)
class Pole:
    id: str
    site_id: str | None = None


def make_waves(
    poles: Sequence[Pole], policy: Policy, parents: Mapping[str, str], *,
    domains: Domains | None = None, step: int = 0,
) -> tuple[tuple[str, ...], ...]:  # fmt: skip
    """All waves of a rollout in which every device takes the change, as the loop makes them."""
    left = {pole.id: pole.site_id for pole in poles}
    sizes = domains or Domains(
        Counter(site for site in left.values() if site is not None),
        Counter(parents[name] for name in left if name in parents),
    )
    waves = []
    while left:
        wave = next_wave(left, policy, parents, sizes, step)
        left = {name: site for name, site in left.items() if name not in wave}
        waves.append(wave)
        step += 1
    return tuple(waves)


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[Pole], dict[str, str], Policy]:
    """Devices at some sites; each may hang on one that comes before it, so that no circle is."""
    count = draw(st.integers(1, 40))
    sites = st.one_of(st.none(), st.sampled_from(["s1", "s2", "s3", "s4"]))
    poles = [Pole(f"d{number:02}", draw(sites)) for number in range(count)]
    parents = {}
    for number in range(1, count):
        up = draw(st.one_of(st.none(), st.integers(0, number - 1), st.just(-1)))
        if up is not None:
            parents[f"d{number:02}"] = "a switch" if up < 0 else f"d{up:02}"
    waves = tuple(draw(st.lists(st.integers(1, 20), min_size=1, max_size=4)))
    return poles, parents, Policy(waves=waves, site_share=draw(st.floats(0.01, 1)))


def above(device: str, parents: dict[str, str]) -> list[str]:
    found = []
    while device in parents and parents[device] not in found:
        device = parents[device]
        found.append(device)
    return found


@given(fleets())
def test_waves_hold_what_they_promise(drawn: tuple[list[Pole], dict[str, str], Policy]) -> None:
    poles, parents, policy = drawn
    waves = make_waves(poles, policy, parents)
    placed = [device for wave in waves for device in wave]
    assert sorted(placed) == sorted(pole.id for pole in poles), "each is in exactly one wave"
    at = {device: number for number, wave in enumerate(waves) for device in wave}
    sites = {pole.id: pole.site_id for pole in poles}
    at_site = Counter(site for site in sites.values() if site)
    below = Counter(up for device, up in parents.items() if device in sites)
    for number, wave in enumerate(waves):
        assert 1 <= len(wave) <= policy.size(number)
        for site, touched in Counter(sites[d] for d in wave if sites[d]).items():
            assert touched <= max(1, int(at_site[site] * policy.site_share))
        for up, touched in Counter(parents[d] for d in wave if d in parents).items():
            most = 1 if number == 0 else max(1, int(below[up] * policy.site_share))
            assert touched <= most
    for device in placed:
        for parent in above(device, parents):
            assert parent not in at or at[device] < at[parent], "a child goes before its parent"


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("abcdef")), st.integers(1, 6))
def test_circles_end(parents: dict[str, str], size: int) -> None:
    waves = make_waves([Pole(name) for name in "abcdef"], Policy(waves=(size,)), parents)
    assert sorted(device for wave in waves for device in wave) == list("abcdef")


def test_sizes_of_domains_come_from_the_whole_inventory() -> None:
    poles = [Pole("a", "plaza"), Pole("b", "plaza")]
    alone = make_waves(poles, Policy(waves=(9,)), {})
    assert alone == (("a",), ("b",)), "two of two would be all of the site"
    among = make_waves(poles, Policy(waves=(9,)), {}, domains=Domains({"plaza": 4}, {}))
    assert among == (("a", "b"),)


def test_a_wave_is_spread_over_sites_and_the_canary_is_not_alone_at_its_site() -> None:
    poles = [Pole("only", "alone"), *(Pole(f"p{n}", f"s{n % 3}") for n in range(9))]
    waves = make_waves(poles, Policy(waves=(1, 3)), {})
    assert waves[0] == ("p0",)
    assert {pole.site_id for pole in poles if pole.id in waves[1]} == {"s0", "s1", "s2"}


def test_a_later_start_takes_the_size_of_its_step() -> None:
    poles = [Pole(f"p{n}") for n in range(10)]
    sizes = [len(w) for w in make_waves(poles, Policy(waves=(1, 2, 4)), {}, step=1)]
    assert sizes == [2, 4, 4]


def fleet(parents: dict[str, str], mesh: set[str]) -> Fleet:
    return Fleet({}, parents, Domains(), frozenset(mesh))


def test_a_mesh_parent_waits_for_a_child_that_did_not_get_it() -> None:
    tree = fleet({"leaf": "middle", "middle": "root", "root": "switch"}, {"middle", "root"})
    good = {"leaf": False, "middle": False, "root": False}
    assert held_back(tree, good, ["middle", "root"]) == {"middle": "leaf", "root": "middle"}
    assert held_back(tree, {**good, "leaf": True}, ["middle", "root"]) == {}
    assert held_back(tree, good, ["leaf", "middle", "root"]) == {}, "its turn is still to come"


def test_a_switch_does_not_wait_for_a_dead_access_point() -> None:
    tree = fleet({"leaf": "switch"}, set())
    assert held_back(tree, {"leaf": False, "switch": False}, ["switch"]) == {}


STRICT = Policy(stop_count=3, stop_share=0.1, stop_sample=10)


@pytest.mark.parametrize(
    ("counts", "kind"),
    [
        (Counts(1, 0, 0, 1, 0, 0), ""),
        (Counts(1, 1, 0, 1, 1, 0), FAILED),  # one in a small wave
        (Counts(9, 1, 0, 9, 1, 0), FAILED),
        (Counts(50, 2, 0, 50, 2, 0), ""),  # 4 % of enough, and fewer than 3
        (Counts(10, 1, 0, 10, 1, 0), FAILED),  # 10 %
        (Counts(900, 3, 0, 900, 3, 0), FAILED),  # 0.3 %, but 3
        (Counts(4, 0, 2, 2, 0, 2), ""),  # half is not more than half
        (Counts(4, 0, 3, 1, 0, 3), UNREACHABLE),
        (Counts(1, 0, 1, 0, 0, 3), ""),  # too few to tell
        (Counts(1, 0, 1, 0, 0, 4), UNREACHABLE),  # four canaries in turn
        (Counts(40, 20, 15, 25, 20, 15), FAILED),  # failures weigh more
    ],
)
def test_when_a_rollout_halts(counts: Counts, kind: str) -> None:
    verdict = judge(counts, STRICT)
    assert (verdict.halt, verdict.kind) == (bool(kind), kind)
    assert bool(verdict.why) == verdict.halt


@given(
    st.builds(Counts, *[st.integers(0, 2000)] * 6),
    st.builds(Policy, stop_count=st.integers(1, 50), stop_share=st.floats(0.001, 1),
              stop_sample=st.integers(1, 100)),
)  # fmt: skip
def test_one_more_failure_never_lets_a_halted_rollout_go_on(counts: Counts, policy: Policy) -> None:
    worse = replace(counts, failed=counts.failed + 1, wave_failed=counts.wave_failed + 1)
    if judge(counts, policy).kind == FAILED:
        assert judge(worse, policy).kind == FAILED
    assert judge(replace(counts, failed=policy.stop_count), policy).halt


def test_unreachable_and_drifted_devices_are_no_failures() -> None:
    wave = {
        "a": "pushed",
        "b": "queued",
        "c": "drifted",
        "d": "failed",
        "e": "pending",
        "f": "held",
    }
    assert tally(wave, Counts(tried=10, failed=1, unreachable=1)) == Counts(6, 1, 1, 13, 2, 2)


@pytest.mark.parametrize(
    "text", ["", "0", "1,,5", "a", "-1", "1.5", "1 5", "²", "1," * 60 + "1", "9" * 30]
)
def test_waves_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ProvisioningError, match=r"waves"):
        read_waves(text)


def test_a_policy_takes_the_settings_and_the_options_of_a_push() -> None:
    policy = policy_of(ProvisioningSettings(waves="2, 4"), bake_s=7, confirm_s=None, waves=None)
    assert (policy.waves, policy.bake_s, policy.confirm_s) == ((2, 4), 7, 120)
    assert Policy.read(policy.stored()) == policy
    with pytest.raises(ProvisioningError, match="site_share is 0"):
        policy_of(ProvisioningSettings(site_share=0))
    with pytest.raises(ProvisioningError, match="confirm_s is 4"):
        policy_of(ProvisioningSettings(confirm_s=4))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CITY)


@pytest.mark.parametrize(
    ("when", "is_open", "until"),
    [
        ("2026-11-23 00:59", False, "2026-11-23 01:00"),  # a Monday
        ("2026-11-23 01:00", True, "2026-11-23 05:00"),
        ("2026-11-23 05:00", False, "2026-11-24 01:00"),
        ("2026-11-28 23:30", True, "2026-11-29 04:00"),  # Saturday's passes midnight
        ("2026-11-29 03:59", True, "2026-11-29 04:00"),
        ("2026-11-29 04:00", False, "2026-11-30 01:00"),
    ],
)
def test_windows_are_on_the_citys_clock(when: str, is_open: bool, until: str) -> None:
    windows = read_windows("Mon-Fri 01:00-05:00; sat  22:00-04:00")
    gate = window_gate(windows, at(when).astimezone(UTC), CITY)
    assert gate.open is is_open
    assert gate.until == at(until)
    assert bool(gate.why) is not is_open


def test_windows_that_touch_are_one_and_none_is_any_time() -> None:
    gate = window_gate(
        read_windows("mon 22:00-24:00; tue 00:00-03:00"), at("2026-11-23 23:00"), CITY
    )
    assert gate.until == at("2026-11-24 03:00")
    assert window_gate((), at("2026-11-23 23:00"), CITY).open
    assert read_windows(" ; ") == ()


@pytest.mark.parametrize(
    "text", ["always", "Mon 25:00-26:00", "Mon-Fun 01:00-02:00", "01:00", "Mon 01:00-01:00",
             "Mon 1:00-2:00", "Mon 01:00-02:00, Tue 01:00-02:00"],
)  # fmt: skip
def test_a_window_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ProvisioningError, match="is no window"):
        read_windows(text)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)))
def test_what_a_window_says_of_its_end_is_so(when: datetime) -> None:
    zone = ZoneInfo("Europe/Madrid")  # its clock changes
    windows = read_windows("Sun 01:30-02:30; Wed-Thu 23:00-03:15; 12:00-13:00")
    now = when.replace(tzinfo=UTC)
    gate = window_gate(windows, now, zone)
    assert gate.until is not None
    assert gate.until > now
    assert window_gate(windows, gate.until, zone).open is not gate.open
    assert window_gate(windows, gate.until - timedelta(microseconds=1), zone).open is gate.open
