"""A home on a disk without any room left: what is told of it, and what is still shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNSHARED = ["unshare", "--mount", "--map-root-user"]
FULL = """
mount -t tmpfs -o size=4m tmpfs "$1" || exit 77
"$2" -m farola init >/dev/null || exit 78
dd if=/dev/zero of="$FAROLA_HOME/filler" bs=4k 2>/dev/null
"$2" -m farola doctor --json
echo "exit code $?"
"$2" -m farola status 2>&1
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What doctor and status print on a full tmpfs."""
    mounted = tmp_path_factory.mktemp("mounted")
    keys = tmp_path_factory.mktemp("keys")
    done = subprocess.run(
        [*UNSHARED, "sh", "-c", FULL, "sh", str(mounted), sys.executable],
        capture_output=True, text=True, check=False, timeout=120, cwd=ROOT,
        env={
            **os.environ, "FAROLA_HOME": str(mounted / "home"), "PYTHONPATH": str(ROOT),
            "FAROLA_KEY_FILE": str(keys / "farola.key"), "COLUMNS": "300",
        },
    )  # fmt: skip
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this kernel lets nobody mount a tmpfs of their own")
    assert "exit code" in done.stdout, done.stdout + done.stderr
    return done.stdout


def test_doctor_says_that_the_store_cannot_be_written_to(told: str) -> None:
    checks = {one["name"]: one for one in json.loads(told.partition("exit code 1")[0])["checks"]}
    assert checks["store"]["ok"] is False
    assert checks["store"]["required"] is True
    assert checks["store"]["remedy"] == "free space on that disk"
    assert "0.0 MB free" in checks["store"]["detail"]
    assert "0.0 MB free" in checks["disk"]["detail"]


def test_what_the_inventory_meets_on_a_full_disk_names_the_disk(told: str) -> None:
    status = told.partition("exit code 1")[2]
    assert "check that it is there" not in status
    assert "free space on that disk" in status


def test_status_still_shows_the_store_where_the_inventory_cannot_be_read(told: str) -> None:
    status = told.partition("exit code 1")[2]
    assert "0.0 MB free" in " ".join(status.split())
    assert "devices" not in status
