"""What a rollout does to a device that has to start anew: a reboot, or another firmware. Both end
when the device lets us in again and has started since; its boot id tells.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napalm.base.exceptions import (
    CommandTimeoutException,
    ConnectionClosedException,
    ConnectionException,
    NapalmException,
)

from farola.errors import DeviceError, FarolaError
from inventory.records import DeviceRecord, Secrets
from provisioning.change.changes import DeviceChange
from provisioning.platforms.choosing import why
from provisioning.platforms.drivers import open_driver

if TYPE_CHECKING:
    from provisioning.turn.apply import Turn

Found = tuple[str, str]
Journal = Callable[[str, Any], None]
BACK_WITHIN_S = 600.0
"""How long a device may take to be back: an upgrade writes all of its flash."""
ASK_EVERY_S = 3.0
UPLOAD_S = 300.0
IMAGE = "/tmp/farola-firmware.bin"  # noqa: S108 - a path on the device, held in memory there
_BOOT = "cat /proc/sys/kernel/random/boot_id"
_SUM = f"sha256sum {IMAGE} 2>/dev/null | cut -d ' ' -f 1"


def version_hash(version: str) -> str:
    """How a change keeps a firmware's version as base or goal."""
    return hashlib.sha256(f"firmware {version}".encode()).hexdigest()


def refuse_while_pending(driver: Any) -> None:
    """Raise DeviceError while a commit waits there to be confirmed: an upgrade would forget it and
    keep what nobody confirmed.
    """
    if driver.has_pending_commit():
        raise DeviceError("a commit on it waits to be confirmed or taken back: try after that")


def boot_id(driver: Any) -> str:
    """Tells one start of a device from another; DeviceError where it does not say."""
    said = str(driver.session.run(_BOOT).stdout).strip()
    if not said:
        raise DeviceError("it does not tell its boot id, so nothing would tell that it restarted")
    return said


def reboot(turn: Turn, noted: Journal | None) -> Found:
    """Reboot a device and wait until it is back; without `noted` only see that it can be asked."""
    driver = open_driver(turn.device, turn.secrets)
    driver.open()
    try:
        refuse_while_pending(driver)
        before = boot_id(driver)
        if noted is None:
            return "pending", ""
        noted(before, None)
        _go(driver, "sync; reboot")
    finally:
        driver.close()
    return back(turn.device, turn.secrets, before, lambda _driver: ("pushed", "restarted"))


def upgrade(turn: Turn, home: Path, noted: Journal | None) -> Found:
    """Bring a device to the firmware that its candidate names and wait until it is back.

    The image is held against its hash here and on the device, and the device's own `sysupgrade -T`
    must take it, before anything is written.
    """
    wanted, mine = json.loads(turn.candidate), turn.mine
    driver = open_driver(turn.device, turn.secrets)
    driver.open()
    try:
        refuse_while_pending(driver)
        version = str(driver.get_facts()["os_version"])
        before, config = boot_id(driver), _config(driver)
        now = version_hash(version)
        if mine.goal_hash and now == mine.goal_hash:
            return "pushed", f"it runs {version} already"
        if now != mine.base_hash:
            return "drifted", f"it runs {version} now: prepare a new change for it"
        if noted is None:
            return "pending", ""
        _send(driver, home / wanted["image"], wanted["sha256"])
        noted(before, None)
        _go(driver, f"sysupgrade {IMAGE}")
    finally:
        driver.close()

    def judge(again: Any) -> Found:
        status, message = outcome(again, mine)
        if status == "pushed" and _config(again) != config:
            return "failed", f"{message}, but its config is not what it was: audit it"
        return status, message

    return back(turn.device, turn.secrets, before, judge)


def outcome(driver: Any, mine: DeviceChange) -> Found:
    """What became of an upgrade, of a device that has started since."""
    version = str(driver.get_facts()["os_version"])
    now = version_hash(version)
    if mine.goal_hash and now == mine.goal_hash:
        return "pushed", f"it runs {version}"
    if now == mine.base_hash:
        return "failed", f"it came back with {version}, which it ran before"
    if mine.goal_hash:
        return "failed", f"it came back with {version}, which is not the version that was said"
    return "pushed", f"it runs {version}"


def back(
    device: DeviceRecord, secrets: Secrets | None, before: str, judge: Callable[[Any], Found],
    within_s: float = BACK_WITHIN_S,
) -> Found:  # fmt: skip
    """Wait until a device lets us in and has started since `before`, and judge it then."""
    end, last = time.monotonic() + within_s, "it did not restart"
    while time.monotonic() < end:
        time.sleep(ASK_EVERY_S)
        try:
            driver = open_driver(device, secrets)
            driver.open()
            try:
                if boot_id(driver) != before:
                    return judge(driver)
                last = "it did not restart"
            finally:
                driver.close()
        except (FarolaError, NapalmException, OSError, ValueError) as error:
            last = why(error)
    return "applying", f"not back after {within_s:.0f} s: {last}"


def ask_restart(
    device: DeviceRecord, secrets: Secrets | None, mine: DeviceChange, candidate: str,
    commit_id: str, *, take_back: bool,
) -> Found | None:  # fmt: skip
    """For `resolve.py`: whether a device that a push was cut off at has started since;
    None where it cannot be asked.
    """
    del take_back
    try:
        driver = open_driver(device, secrets)
        driver.open()
        try:
            if boot_id(driver) == commit_id:
                return "pending", "it was cut off before the device restarted"
            return outcome(driver, mine) if "image" in candidate else ("pushed", "restarted")
        finally:
            driver.close()
    except (FarolaError, NapalmException, NotImplementedError, OSError, ValueError):
        return None


def _go(driver: Any, command: str) -> None:
    """Run what ends the connection; DeviceError where it ended by itself and complained."""
    try:
        output = driver.session.run(command, timeout=60.0)
    except (ConnectionClosedException, CommandTimeoutException, ConnectionException):
        return
    if output.status:
        raise DeviceError(f"refused: {' '.join((output.stderr or output.stdout).split())[:200]}")


def _send(driver: Any, path: Path, digest: str) -> None:
    """Bring the image to the device's memory, and have its own sysupgrade look at it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DeviceError(f"{path}: the image cannot be read: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise DeviceError(f"{path}: the image is not the one that was frozen: prepare it anew")
    session = driver.session
    if str(session.run(_SUM).stdout).strip() != digest:
        room = session.run("df -k /tmp | tail -n 1").stdout.split()
        if len(room) > 3 and room[3].isdigit() and int(room[3]) * 1024 < len(data):
            raise DeviceError(f"{len(data) // 1024} kB do not fit into its memory: {room[3]} kB "
                              "are free in /tmp")  # fmt: skip
        sent = session.run(
            f"cat > {shlex.quote(IMAGE)}", data.decode("utf-8", "surrogateescape"), UPLOAD_S
        )
        if sent.status or str(session.run(_SUM).stdout).strip() != digest:
            session.run(f"rm -f {IMAGE}")
            raise DeviceError("the image arrived damaged, or did not fit into /tmp: try again")
    tested = session.run(f"sysupgrade -T {IMAGE}", timeout=60.0)
    if tested.status:
        session.run(f"rm -f {IMAGE}")
        said = " ".join((tested.stderr + tested.stdout).split())[:200]
        raise DeviceError(f"its sysupgrade -T refuses the image: {said}")


def _config(driver: Any) -> str:
    """Hash of all that it runs."""
    running = driver.get_config(retrieve="running")["running"]
    return hashlib.sha256(running.encode("utf-8", "surrogateescape")).hexdigest()
