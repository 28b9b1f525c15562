"""What pushes that were killed left in the temporary folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from provisioning.rollout.push import PREFIX, STALE_S, sweep


def test_what_a_killed_push_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {
        "dead": f"{PREFIX}{gone.pid}-a", "alive": f"{PREFIX}{os.getpid()}-a",
        "young": f"{PREFIX}{gone.pid}-b", "other": f"somebody-{gone.pid}-a",
        "odd": f"{PREFIX}x-a",
    }  # fmt: skip
    for role, name in names.items():
        (tmp_path / name / "artifacts").mkdir(parents=True)
        if role != "young":
            os.utime(tmp_path / name, times=(time.time() - STALE_S - 60,) * 2)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"{PREFIX}{gone.pid}-link").symlink_to(elsewhere)
    sweep(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {
        names["alive"], names["young"], names["other"], "elsewhere", f"{PREFIX}{gone.pid}-link",
    }  # fmt: skip
