"""Whatever befalls a push, the device ends on the old config or the new one whole, lets us in,
waits for nobody, and Farola knows which it runs. A seed chooses what happens and when.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.provisioning.faults.figures import add
from tests.provisioning.faults.runs import one_run
from tests.provisioning.faults.stage import Scenery, build

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
