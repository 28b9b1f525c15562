"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def require(condition: bool, reason: str) -> None:
    """Skip with `reason` unless `condition`; under CI=true a thing that is missing fails."""
    if condition:
        return
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def needs_program() -> Callable[[str, str], str]:
    """`needs_program("influxd", "influxdb")` returns the program's path or skips (CI: fails)."""

    def find(program: str, package: str) -> str:
        path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        require(path is not None, f"{program} is missing: apt-get install {package}")
        assert path is not None
        return path

    return find


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The folder with real open data (FAROLA_TESTDATA)."""
    folder = Path(os.environ.get("FAROLA_TESTDATA") or ROOT.parent / "shared")
    require((folder / "data").is_dir(), f"no real data in {folder}: set FAROLA_TESTDATA")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty FAROLA_HOME of its own, with a key file outside it."""
    folder = tmp_path / "home"
    monkeypatch.setenv("FAROLA_HOME", str(folder))
    monkeypatch.setenv("FAROLA_KEY_FILE", str(tmp_path / "keys" / "farola.key"))
    return folder


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(home: Path) -> Run:
    """Run the real `farola` command in a process of its own, on `home`.

    `run("import", "candidates", path, code=1)` also asserts the exit code.
    """

    def farola(
        *args: object, code: int | None = 0, timeout: float = 120, **kwargs: object
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-c", "from farola.cli import main; main()", *map(str, args)],
            capture_output=True, text=True, timeout=timeout, check=False, cwd=home.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, **kwargs,  # type: ignore[call-overload]
        )  # fmt: skip
        if code is not None:
            assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return farola
