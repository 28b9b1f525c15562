"""The floors of the house hold, and no file is forgotten by them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


def test_rooms_import_only_from_lower_floors():
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [lint, "--no-cache"], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_no_file_passes_400_lines():
    long = [
        f"{path.relative_to(REPO)}: {count}"
        for room in (REPO / "pyproject.toml").parent.iterdir()
        if room.is_dir() and (room / "__init__.py").exists()
        for path in room.rglob("*.py")
        if "node_modules" not in path.parts
        and (count := len(path.read_text(encoding="utf-8").splitlines())) > 400
    ]
    assert not long


def test_lock_files_pin_every_package_by_hash_and_name_no_host():
    for name in ("runtime.txt", "dev.txt"):
        text = (REPO / "requirements" / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert "--index-url" not in text
        pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert len(pins) > 50
        assert all("==" in line for line in pins)
        assert text.count("--hash=sha256:") >= len(pins)
