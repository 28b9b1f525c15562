"""A real agent's own traps: net-snmp's snmpd, which signs and seals them, is restarted, asked with
a wrong community and stopped.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess

import pytest

from collectors.snmp.model import Target, Usm
from collectors.snmp.trap_receiver import TrapReceiver
from collectors.targets import Targets
from farola.settings import load_settings
from inventory.db import open_inventory
from inventory.queries import events
from tests.collectors.snmp.conftest import free_port

USER = Usm("noc", "sha256", "signing-secret", "aes128", "sealing-secret")
KEYS = f"-a SHA-256 -A {USER.auth_password} -x AES -X {USER.priv_password}"
SINKS = {
    "3": f"createUser noc SHA-256 {USER.auth_password} AES {USER.priv_password}\n"
    f"trapsess -v3 -l authPriv -u noc {KEYS} 127.0.0.1:{{port}}",
    "3 informs": f"trapsess -Ci -v3 -t 20 -l authPriv -u noc {KEYS} 127.0.0.1:{{port}}",
    "2c": "trap2sink 127.0.0.1:{port} public",
}


@pytest.mark.service
@pytest.mark.parametrize("version", SINKS)
def test_what_snmpd_tells_of_its_own_life_becomes_events(
    run, home, needs_program, tmp_path, trap_port, version
):
    run("init")
    inventory = open_inventory(load_settings())
    get, port = needs_program("snmpget", "snmp"), free_port()
    config = tmp_path / "snmpd.conf"
    config.write_text(
        f"agentAddress udp:127.0.0.1:{port}\nrocommunity right\nauthtrapenable 1\n"
        f"{SINKS[version].format(port=trap_port)}\n"
    )
    command = [needs_program("snmpd", "snmpd"), "-f", "-Lo", "-C", "-c", str(config), "-I", "-smux"]
    env = {**os.environ, "SNMP_PERSISTENT_DIR": str(tmp_path / "persistent"),
           "MIBS": ""}  # fmt: skip
    target = Target("ap-1", "127.0.0.1", version="3", usm=USER, community="")
    if version == "2c":
        target = Target("ap-1", "127.0.0.1", community="public")

    async def heard(receiver, count):
        while believed(receiver.counts.as_json()) < count:
            await asyncio.sleep(0.05)

    async def main():
        receiver = TrapReceiver(inventory)
        receiver.know(Targets((target,), (), (), {}))
        await receiver.listen("127.0.0.1", trap_port)
        for boot in range(2):
            with (tmp_path / "log").open("ab") as log:
                agent = subprocess.Popen(command, env=env, stdout=log, stderr=log)
            try:
                await heard(receiver, 4 * boot + 1)
                asked = [get, "-v2c", "-c", "wrong", "-t", "0.2", "-r", "0", f"127.0.0.1:{port}",
                         "1.3.6.1.2.1.1.5.0"]  # fmt: skip
                await asyncio.to_thread(subprocess.run, asked, capture_output=True, check=False)
                await heard(receiver, 4 * boot + 2)
                agent.send_signal(signal.SIGHUP)
                await heard(receiver, 4 * boot + 3)
                agent.terminate()
                await heard(receiver, 4 * boot + 4)
            finally:
                agent.kill()
                agent.wait()
        await receiver.close()
        return receiver.counts.as_json()

    counts = asyncio.run(asyncio.wait_for(main(), 60))
    with inventory.session() as session:
        found = [one for one in reversed(events(session)) if one.kind.startswith("trap.")]
    inventory.close()
    life = ["cold-start", "authentication-failure", "agent-restart", "agent-shutdown"]
    assert [one.kind.removeprefix("trap.") for one in found[:4]] == life
    assert {one.device_id for one in found} == {"ap-1"}
    # The second start is believed too: its engine's boots grew. Soon after, the same is one event.
    assert believed(counts) == counts["received"] - counts["discovery"] == 8
    assert {one.detail["inform"] for one in found} == {version == "3 informs"}


def believed(counts):
    return counts["stored"] + counts["duplicate"]
