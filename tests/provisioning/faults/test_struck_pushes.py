"""Whatever befalls a push, the device ends on the old config or the new one whole, lets us in,
waits for nobody, and Farola knows which it runs. A seed chooses what happens and when.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.provisioning.faults.figures import add, report
from tests.provisioning.faults.plans import CANDIDATES, DEEDS, STRIKES, plan_of
from tests.provisioning.faults.runs import one_run, what_is_wrong
from tests.provisioning.faults.stage import Scenery, build, staged

LOG = Path(os.environ.get("FAROLA_PUSH_SOAK_LOG") or "test-artifacts/push-faults.jsonl")
FEW = (2, 4, 8, 15)
"""Both watcher and script killed; cut off and dropped; reboot and power cut; Farola killed."""
RUNS = 2000 + len(FEW)


@pytest.fixture(scope="module")
def scenery(tmp_path_factory: pytest.TempPathFactory) -> Scenery:
    return build(tmp_path_factory.mktemp("scenery"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [seed if seed in FEW else pytest.param(seed, marks=pytest.mark.soak)
             for seed in range(RUNS)]
)  # fmt: skip
def test_a_push_that_is_struck_ends_whole_and_known(
    seed: int, tmp_path: Path, scenery: Scenery
) -> None:
    run = one_run(seed, tmp_path / "run", scenery)
    add(LOG, run)
    assert run.faults == (), run
    shutil.rmtree(tmp_path)


def test_what_does_not_hold_is_found(tmp_path: Path, scenery: Scenery) -> None:
    plan = plan_of(next(seed for seed in range(99) if plan_of(seed).candidate == "good"))
    with staged(scenery, tmp_path, "good", worn=True) as stage:

        def wrong(told: str, status: str) -> list[str]:
            ended = stage.runs(CANDIDATES["good"])
            return [line[:12] for line in what_is_wrong(stage, plan, [], told, ended, status, "")]

        assert wrong("failed", "failed") == []
        assert wrong("pushed", "pushed") == ["Farola says ", "it was told "]
        assert wrong("failed", "applying") == ["Farola says "]
        assert wrong("broke off", "failed") == ["the push bro"]
        commit = stage.point.root / "etc" / "napalm-openwrt" / "0-0"
        commit.mkdir()
        (commit / "pending").touch()
        assert wrong("failed", "failed") == ["pending: ['0"]
        shutil.rmtree(commit)
        system = stage.point.root / "etc" / "config" / "system"
        system.write_text(system.read_text().replace("'worn'", "'new'"))
        assert wrong("failed", "failed") == ["it runs neit", "Farola says ", "it goes by '"]
        stage.point.strings.run("ifconfig; /etc/init.d/dropbear stop; /etc/init.d/network stop")
        assert "nobody gets " in wrong("failed", "failed")


def test_every_fault_is_played_and_the_figures_tell_them_apart() -> None:
    plans = [plan_of(seed) for seed in range(RUNS)]
    assert {(f.action, f.at) for plan in plans for f in plan.faults} == set(STRIKES)
    assert {deed for plan in plans for deed, _ in plan.deeds} == set(DEEDS)
    assert {plan.candidate for plan in plans} == set(CANDIDATES)
    line = {"seed": 7, "candidate": "good", "struck": ["power"], "ended": "old", "told": "failed",
            "status": "failed", "night": False, "cpu_s": 0.5, "faults": []}  # fmt: skip
    lines = [line] * 1999
    text = report([*lines, {**line, "struck": []}])
    assert "0 of 2,000 runs" in text
    assert "below 0.15% of such runs" in text
    assert "nothing                 1        1" in text
    text = report([*lines, {**line, "ended": "neither: {}", "faults": ["it runs neither"]}])
    assert "1 of 2,000 runs" in text
    assert "failed: seed 7: it runs neither" in text
