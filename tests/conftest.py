"""Fixtures that every room's tests share."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.config import Config

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


@pytest.fixture(scope="session", autouse=True)
def _migrated_once() -> Iterator[None]:
    """The migrations fill the first empty SQLite inventory of a session in earnest; the next ones
    get the very statements that describe it, at a fiftieth of the CPU.
    """
    from alembic import command

    in_earnest = command.upgrade
    left: list[str] = []

    def upgrade(config: Config, revision: str) -> None:
        connection = config.attributes["connection"]
        everything = "SELECT count(*) FROM sqlite_master"
        if connection.dialect.name != "sqlite" or connection.exec_driver_sql(everything).scalar():
            in_earnest(config, revision)
            return
        if not left:
            in_earnest(config, revision)
            dumped = connection.connection.driver_connection.iterdump()
            left.extend(line for line in dumped if line not in {"BEGIN TRANSACTION;", "COMMIT;"})
            return
        for statement in left:
            connection.exec_driver_sql(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "upgrade", upgrade)
        yield


Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _checked(
    done: subprocess.CompletedProcess[str], code: int | None
) -> subprocess.CompletedProcess[str]:
    if code is not None:
        said = f"{done.args}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode == code, said
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the `farola` command on `home`, in this process: a tenth of what a new one costs.

    `run("import", "candidates", path, code=1)` also asserts the exit code. What only a process
    shows (signals, closed pipes, what is imported when, output of libraries) is for `run_process`.
    """
    from farola.cli import main

    def farola(
        *args: object,
        code: int | None = 0,
        timeout: float = 120,
        input: str = "",
    ) -> subprocess.CompletedProcess[str]:
        words = ["farola", *map(str, args)]
        streams = [io.TextIOWrapper(io.BytesIO(text), "utf-8", write_through=True)
                   for text in (input.encode(), b"", b"")]  # fmt: skip
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        with monkeypatch.context() as patch, contextlib.chdir(home.parent):
            patch.setattr("sys.argv", words)
            for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
                patch.setattr(f"sys.{name}", stream)
            try:
                main()
            except SystemExit as end:
                status = end.code
            finally:
                for number, handler in handlers.items():
                    signal.signal(number, handler)
        out, err = (stream.buffer.getvalue().decode() for stream in streams[1:])  # type: ignore[attr-defined]
        return _checked(subprocess.CompletedProcess(words, int(status or 0), out, err), code)

    return farola


@pytest.fixture
def run_process(home: Path) -> Run:
    """The same in a process of its own."""

    def farola(
        *args: object, code: int | None = 0, timeout: float = 120, **kwargs: object
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-c", "from farola.cli import main; main()", *map(str, args)],
            capture_output=True, text=True, timeout=timeout, check=False, cwd=home.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, **kwargs,  # type: ignore[call-overload]
        )  # fmt: skip
        return _checked(done, code)

    return farola
