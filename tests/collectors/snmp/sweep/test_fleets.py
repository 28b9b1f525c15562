"""The sweep over Debian's snmpd, which answers every 127.x.y.z as a device of its own: versions,
IPv6, lines that lose packets, and a machine that has no time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from collectors.snmp.model import Question, Target
from collectors.snmp.sweep import SweepPoller
from collectors.snmp.sweep.ber import decode_response
from tests.collectors.snmp.sweep.fakes import DESCR, NAME, fake, one, poll
from tests.collectors.snmp.sweep.lossy import bad_line

pytestmark = pytest.mark.service
INTERFACES = tuple((1, 3, 6, 1, 2, 1, 2, 2, 1, column) for column in (1, 2, 3, 10))
ROWS = tuple((1, 3, 6, 1, 2, 1, 1, 9, 1, column) for column in (2, 3))
ROOT = Path(__file__).resolve().parents[4]


def fleet(port, count, dead=0, **how):
    return [
        Target(str(n), f"127.9.{n // 200}.{n % 200 + 1}", 9 if n < dead else port, **how)
        for n in range(count)
    ]


def test_versions_and_address_families_bring_the_same(snmpd):
    port = snmpd("sysName one\nagentAddress udp6:[::1]:16991\nrocommunity6 public ::1")
    question = Question((NAME, DESCR, (1, 3, 9, 9)), (INTERFACES[:3], ROWS))
    replies = []
    for how in ({}, {"version": "1"}, {"address": "::1", "port": 16991}):
        answer, _ = one(**{"port": port, "timeout_s": 5} | how, questions=[question])
        assert answer.error == ""
        replies.append(answer.result[0])
    assert replies[0].scalars[0] == b"one"
    assert replies[0].scalars[2] is None
    assert len(replies[0].tables[1][0]) > 5
    assert b"lo" in replies[0].tables[0][1].values()
    assert replies[0] == replies[1] == replies[2]


@contextmanager
def busy(count):
    """Processes that leave the machine no time."""
    loop = [sys.executable, "-c", "while True: pass"]
    children = [subprocess.Popen(loop) for _ in range(count)]
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait(10)


def alive(answers):
    return {answer.target.device_id for answer in answers if answer.answered}


def test_a_loaded_machine_takes_no_living_device_for_dead(snmpd):
    targets = fleet(snmpd(), 800, dead=40, timeout_s=1.0, retries=1)
    living = {target.device_id for target in targets[40:]}
    poller, sweeps = SweepPoller(), []
    with busy(2 * (os.cpu_count() or 1)):
        for _ in range(2):
            answers, _ = poll(targets, poller=poller)
            assert len(answers) == 800
            sweeps.append(alive(answers))
    assert sweeps[0] | sweeps[1] == living
    assert sum(map(len, sweeps)) > 2 * len(living) - 15


def test_a_line_that_loses_packets_costs_retries_and_hardly_a_device(snmpd):
    with bad_line(snmpd(), delay_s=0.025, loss=0.02) as port:
        targets = fleet(port, 400, timeout_s=1.0, retries=1)
        poller, sweeps, retried = SweepPoller(), [], 0
        for _ in range(2):
            answers, figures = poll(targets, Question((NAME,), (ROWS,)), poller=poller)
            sweeps.append(alive(answers))
            retried += figures.retried
            whole = [a for a in answers if a.answered and a.result[0].tables[0] is not None]
            assert len(whole) > 380
            assert min(answer.rtt_ms for answer in whole) >= 50
    assert retried > 0
    assert sweeps[0] | sweeps[1] == {target.device_id for target in targets}
    assert sum(map(len, sweeps)) > 800 - 12


def test_netem_in_a_namespace_of_its_own_takes_no_living_device_for_dead(needs_program):
    """The same with the kernel's own bad line, where it has one."""
    tools = {name: shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
             for name in ("unshare", "ip", "tc")}  # fmt: skip
    make = "ip link set lo up && tc qdisc add dev lo root netem delay 50ms loss 2%"
    if os.geteuid() != 0 or not all(tools.values()):
        pytest.skip("needs root, unshare, ip and tc; the test above makes such a line itself")
    inside = [tools["unshare"], "-n", "sh", "-c"]
    if subprocess.run([*inside, make], capture_output=True, check=False).returncode:
        pytest.skip("this kernel has no sch_netem; the test above makes such a line itself")
    needs_program("snmpd", "snmpd")
    script = "exec " + sys.executable + " -m tests.collectors.snmp.sweep.namespace"
    done = subprocess.run(
        [*inside, f"{make} && {script}"], capture_output=True, text=True, cwd=ROOT, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["never"] == []
    assert said["answered"] > said["asked"] - 12
    assert said["retried"] > 0


def test_replies_that_the_kernel_drops_are_counted():
    def flood(request):
        return [request.answer([(NAME, b"x" * 1000)])] * 400

    with fake(flood) as port:
        answer, figures = one(port, *[Question((NAME,))] * 20, poller=SweepPoller(2048))
    assert answer.answered
    assert figures.kernel_drops > 0
    assert figures.received + figures.kernel_drops <= 400 * figures.sent


def test_request_ids_cannot_be_foretold():
    seen = []

    def listen(request):
        seen.append(decode_response(request.answer([(NAME, b"x")])).request_id)
        return request.answer([(NAME, b"x")])

    with fake(listen) as port:
        one(port, *[Question((NAME,))] * 50)
    steps = {after - before for before, after in pairwise(seen)}
    assert len(set(seen)) == len(seen) == 50
    assert len(steps) == 49
    assert all(2**30 <= number < 2**31 for number in seen)
