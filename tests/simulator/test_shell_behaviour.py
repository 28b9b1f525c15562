"""Scripts on disk with what they print: the pretend shell's answers, and busybox's own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CASES = Path(__file__).parent / "shell_cases"
NAMES = sorted(path.stem for path in CASES.glob("*.sh"))


def expected(name: str) -> str:
    return (CASES / f"{name}.expected").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_scripts_print_what_they_print_on_busybox(
    name: str, sh: Callable[..., Any], device: Any
) -> None:
    device.flash.mkdir("/root/work")
    ran = sh((CASES / f"{name}.sh").read_text(encoding="utf-8"), cwd="/root/work")
    assert f"{ran.out}[status {ran.status}]\n" == expected(name), ran.err


@pytest.mark.service
@pytest.mark.parametrize("name", NAMES)
def test_expectations_are_those_of_the_real_busybox(
    name: str, tmp_path: Path, needs_program: Callable[[str, str], str]
) -> None:
    assert busybox(name, tmp_path, needs_program("busybox", "busybox")) == expected(name)


def busybox(name: str, folder: Path, program: str) -> str:
    """Run a case under busybox alone: its applets are the only programs on the PATH."""
    programs, work = folder / "bin", folder / "work"
    programs.mkdir()
    work.mkdir()
    subprocess.run([program, "--install", "-s", str(programs)], check=True)
    done = subprocess.run(
        [program, "sh", str(CASES / f"{name}.sh")],
        cwd=work, env={"PATH": str(programs), "HOME": str(work)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return f"{done.stdout}[status {done.returncode}]\n"


if __name__ == "__main__":  # writes the expectations anew, from the real busybox
    import shutil
    import tempfile

    found = shutil.which("busybox")
    assert found is not None, "apt-get install busybox"
    for case in NAMES:
        with tempfile.TemporaryDirectory() as scratch:
            text = busybox(case, Path(scratch), found)
        (CASES / f"{case}.expected").write_text(text, encoding="utf-8")
        print(f"{case}: {len(text)} bytes", os.linesep, end="")
