"""`farola collect run --metrics` as Prometheus scrapes it."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from collectors import service
from collectors.metrics import FAILURES, Gauges
from collectors.poll import Summary
from collectors.roster import Roster
from farola.settings import load_settings
from inventory.db import open_inventory
from inventory.models import Device

ROOT = Path(__file__).resolve().parents[2]


def scraped(text: str) -> dict[str, float]:
    """Values by name, with the value of a label in brackets."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation or family.name.startswith("process_")
        for sample in family.samples:
            label = f"[{next(iter(sample.labels.values()))}]" if sample.labels else ""
            found[sample.name + label] = sample.value
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_collector_is_scraped_while_it_polls(run, home):
    run("init")
    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        session.add(Device(id="secret-name", name="x", management_address="127.9.9.9", snmp_port=9))
    inventory.close()
    port = free_port()
    child = subprocess.Popen(
        [sys.executable, "-c", "from farola.cli import main; main()", "collect", "run",
         "--interval", "1", "--metrics", str(port), "--traps", f"127.0.0.1:{free_port()}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=home.parent, text=True,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        limit, values, text = time.monotonic() + 60, {}, ""
        while values.get("farola_polls_late_total", 0) < 1:  # a poll of a dead device takes > 1 s
            assert child.poll() is None, child.communicate()
            assert time.monotonic() < limit, values
            time.sleep(0.1)
            try:
                url = f"http://127.0.0.1:{port}/metrics"
                text = urllib.request.urlopen(url, timeout=5).read().decode()
                values = scraped(text)
            except urllib.error.URLError:
                continue
        taken = run("collect", "run", "--metrics", port, code=1)
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=30)
    assert "cannot serve metrics on 127.0.0.1" in taken.stderr
    assert values["farola_collector_active"] == 1
    assert values["farola_poll_devices"] == values["farola_poll_timed_out"] == 1
    assert values["farola_poll_answered"] == 0
    assert values["farola_polls_stored_total"] >= 1
    assert values["farola_snmp_sent_total"] >= 2
    assert values["farola_snmp_retried_total"] >= 1
    assert values["farola_poll_duration_seconds"] > 1
    assert abs(values["farola_poll_last_success_timestamp_seconds"] - time.time()) < 600
    assert values["farola_traps_total[received]"] == 0
    assert values["process_cpu_seconds_total"] > 0
    assert [values[f"farola_polls_lost_total[{reason}]"] for reason in FAILURES] == [0, 0, 0, 0]
    assert "secret-name" not in text


def test_counters_add_up_and_gauges_are_the_last_polls():
    gauges = Gauges()
    for answered, late in ((10, 0), (8, 2)):
        gauges.poll_done(
            Summary(
                devices=10, answered=answered, timed_out=10 - answered, skipped=1, points=99,
                duration_s=1.5, cpu_s=0.25, late=late, lag_s=0.5, not_answered=(), partial=("a",),
                down=("b", "c"), sent=20, received=18, retried=2, kernel_drops=3, malformed=1,
                unmatched=4, unknown_access_points=("x/1",), maintenance=("d",),
            )
        )  # fmt: skip
    gauges.poll_failed("store", 1)
    gauges.job_failed("checks")
    values = scraped(generate_latest(gauges.registry).decode())
    expected = {
        "farola_poll_answered": 8, "farola_poll_timed_out": 2, "farola_poll_down": 2,
        "farola_poll_maintenance": 1,
        "farola_poll_partial": 1, "farola_poll_skipped": 1, "farola_poll_lag_seconds": 0.5,
        "farola_poll_cpu_seconds": 0.25, "farola_polls_cpu_seconds_total": 0.5,
        "farola_polls_late_total": 3, "farola_polls_stored_total": 2,
        "farola_jobs_failed_total[checks]": 1, "farola_polls_lost_total[store]": 1,
        "farola_snmp_sent_total": 40,
        "farola_snmp_received_total": 36, "farola_snmp_kernel_drops_total": 6,
        "farola_snmp_malformed_total": 2, "farola_snmp_unmatched_total": 8,
        "farola_poll_unknown_access_points": 1, "farola_collector_active": 0,
    }  # fmt: skip
    assert {name: values[name] for name in expected} == expected


def test_what_was_not_foreseen_costs_one_poll_and_is_counted(home, run, monkeypatch, capsys):
    """As where the process has no file descriptor left for a moment."""
    run("init")
    turns, seen, listed = [], [], Roster.listed

    async def breaking(roster):
        turns.append(1)
        if len(turns) == 2:
            raise OSError(errno.EMFILE, "Too many open files")
        return await listed(roster)

    monkeypatch.setattr(Roster, "listed", breaking)
    monkeypatch.setattr(service, "Gauges", lambda: seen.append(Gauges()) or seen[-1])
    polled: list[Summary] = []
    asyncio.run(service.collect_run(load_settings(), service.Plan(0.2, 4), polled.append))
    assert (len(turns), len(polled)) == (4, 3)
    said = capsys.readouterr().err
    assert said.count("poll left out: OSError: [Errno 24] Too many open files\n") == 1
    values = scraped(generate_latest(seen[0].registry).decode())
    assert values["farola_polls_lost_total[other]"] == 1
    assert values["farola_polls_stored_total"] == 3


@pytest.mark.parametrize("where", ["0", "nonsense:x", "127.0.0.1:99999"])
def test_a_bad_address_is_one_line(run, where):
    run("init")
    done = run("collect", "run", "--metrics", where, code=1)
    assert done.stderr.count("\n") == 1
    assert "HOST:PORT" in done.stderr
