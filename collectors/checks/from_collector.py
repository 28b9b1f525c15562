"""Checks made by the collector's machine: a child process plays the client, where the plan says in
another network namespace.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from collectors.checks.model import SILENT, CheckPlan, CheckResult

ROOT = Path(__file__).resolve().parents[2]
START_S = 10.0
"""For the child to start."""


async def check_from_collector(plan: CheckPlan, namespace: str = "") -> list[CheckResult]:
    """One result for each check of `plan`, made in the network namespace of that name.

    A step that hangs is cut off: it and those after it got no answer.
    """
    command = [sys.executable, "-P", "-m", "collectors.checks.client"]
    if namespace:
        command = ["ip", "netns", "exec", namespace, *command]
    search = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    try:
        child = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": search},
        )  # fmt: skip
    except OSError as error:
        return _none(plan.checks, f"cannot be made here: {command[0]}: {error.strerror}")
    talk = child.communicate(json.dumps(asdict(plan)).encode())
    reading = asyncio.create_task(talk)
    try:
        # The portal's step looks a name up and connects: three times the patience of one.
        patience = START_S + plan.timeout_s * (len(plan.checks) + 3)
        done, _ = await asyncio.wait({reading}, timeout=patience)
    finally:
        if child.returncode is None and not reading.done():
            child.kill()
    said, faults = await reading
    found = _read(said)
    missing = [check for check in plan.checks if check not in {one.check for one in found}]
    if missing and done:
        last = faults.decode("utf-8", "replace").strip().splitlines()
        return found + _none(missing, f"cannot be made here: {last[-1] if last else 'no word'}")
    return found + [CheckResult(check, False, SILENT) for check in missing]


def _read(said: bytes) -> list[CheckResult]:
    found = []
    for line in said.decode("utf-8", "replace").splitlines():
        try:
            found.append(CheckResult(**json.loads(line)))
        except (ValueError, TypeError):
            continue  # cut off by the kill
    return found


def _none(checks: tuple[str, ...] | list[str], reason: str) -> list[CheckResult]:
    return [CheckResult(check, None, reason) for check in checks]
