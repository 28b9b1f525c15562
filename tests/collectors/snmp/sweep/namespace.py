"""A fleet and its sweep inside a network namespace, run by test_fleets.py; prints what came."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path

from collectors.snmp.model import Question, Target
from collectors.snmp.sweep import SweepPoller
from tests.collectors.snmp.sweep.fakes import NAME, poll

PORT, DEVICES, SWEEPS = 1161, 400, 3


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "snmpd.conf"
        config.write_text(f"agentAddress udp:0.0.0.0:{PORT}\nrocommunity public 127.0.0.0/8\n")
        command = ["/usr/sbin/snmpd", "-f", "-Lo", "-C", "-c", str(config), "-I", "-smux"]
        agent = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env={"SNMP_PERSISTENT_DIR": name},
        )
        try:
            time.sleep(2)
            print(json.dumps(sweep()))
        finally:
            agent.terminate()
            agent.wait(10)


def sweep() -> dict[str, object]:
    targets = [Target(str(n), f"127.9.{n // 200}.{n % 200 + 1}", PORT) for n in range(DEVICES)]
    poller, ever, answered, retried = SweepPoller(), set(), 0, 0
    for _ in range(SWEEPS):
        answers, figures = poll(targets, Question((NAME,)), poller=poller)
        alive = {answer.target.device_id for answer in answers if answer.answered}
        ever |= alive
        answered += len(alive)
        retried += figures.retried
    never = sorted({target.device_id for target in targets} - ever)
    asked = DEVICES * SWEEPS
    return {"asked": asked, "answered": answered, "never": never, "retried": retried}


if __name__ == "__main__":
    main()
