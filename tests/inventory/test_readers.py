"""The readers of formats stand alone: none of them needs what opens files by their ending."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("reader", ["csv_file", "xlsx_file", "geojson_file", "layer_file"])
def test_no_reader_imports_its_caller(reader) -> None:
    script = (
        f"import sys, inventory.importers.{reader}\n"
        "assert 'inventory.importers.source' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], cwd=REPO, check=True, capture_output=True)
