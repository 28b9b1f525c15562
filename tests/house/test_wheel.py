"""A built wheel works from any folder: it carries its playbooks, profiles, templates, migrations
and front end, and the NAPALM driver.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
CARRIED = (
    "playbooks/push.yml",
    "provisioning/intent/templates/access-point.yaml",
    "collectors/snmp/profiles/openwrt.yaml",
    "inventory/migrations/versions/0001_initial.py",
    "web/templates/planner.html",
    "web/static/dist/manifest.json",
    "napalm_openwrt/driver.py",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w",
         folder, REPO],
        check=True, capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    return next(folder.glob("farola-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that has the wheel, and only libraries from ours."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel], check=True
    )
    site = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip()
    # A path named here adds the libraries, but not the editable farola: its .pth is not read.
    (Path(site) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    playbook = folder / "bin" / "ansible-playbook"
    playbook.write_text(f"#!{python}\nfrom ansible.cli.playbook import main\nmain()\n")
    playbook.chmod(0o755)
    return folder / "bin"


def test_the_wheel_carries_what_it_runs_on(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert set(CARRIED) <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "docs/"))]
    assert not [name for name in names if "node_modules" in name or "web/frontend" in name]


@pytest.mark.slow
def test_the_loop_closes_from_the_wheel_in_an_empty_folder(installed: Path, home: Path) -> None:
    folder = home.parent / "elsewhere"
    folder.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def run(*command: object) -> str:
        return subprocess.run(
            [str(word) for word in command], cwd=folder, env=environment, check=True, text=True,
            stdout=subprocess.PIPE, timeout=250,
        ).stdout  # fmt: skip

    where = run(installed / "python", "-c", "import farola, web; print(farola.__file__)")
    assert Path(where.strip()).is_relative_to(installed.parent)
    driver = "from napalm import get_network_driver as get; print(get('openwrt').__module__)"
    assert run(installed / "python", "-c", driver).strip() == "napalm_openwrt.driver"
    figures = json.loads(run(installed / "farola", "demo", "--once", "--json", "--aps", 3))
    assert (figures["pushed"], figures["failed"], figures["polled"]) == (2, 1, 3)
    checks = {
        c["name"]: c for c in json.loads(run(installed / "farola", "doctor", "--json"))["checks"]
    }
    assert checks["front end"]["ok"]
    assert checks["playbooks"]["ok"]
