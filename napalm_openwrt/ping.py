"""Pings and traces from a device, with busybox's own programs."""

from __future__ import annotations

import math
import re
import shlex
from typing import Any

from napalm_openwrt.asking import Shell, ask

HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,252}")
"""A host name or address: nothing that a shell or `ping` could take for something else."""

ANSWER = re.compile(
    r"^\d+ bytes from ([^\s:]*(?::[^\s:]+)*):? .*?time=(\d{1,9}(?:\.\d{1,9})?) ms", re.M
)
PROBE = re.compile(r"\d{1,9}\.\d{1,9}(?=\s+ms)|\*|[0-9a-fA-F]*[.:][0-9a-fA-F.:]+")
"""A probe's time, a probe without an answer, or the address that the next times are of."""


def ping(
    shell: Shell, destination: str, *, source: str, ttl: int, timeout: int, size: int, count: int
) -> dict[str, Any]:
    """Ping as NAPALM tells it: times in ms, `packet_loss` in probes.

    Parameters
    ----------
    source
        Address or interface to send from; "" is the device's own choice.
    timeout
        Seconds to wait for an answer after the last probe.
    size
        Bytes of payload.
    """
    for what in (destination, *filter(None, (source,))):
        if not HOST.fullmatch(what):
            return {"error": f"{what[:80]!r} is no host name or address"}
    if not (1 <= count <= 100 and 0 <= size <= 65507 and 1 <= ttl <= 255 and 1 <= timeout <= 60):
        return {"error": "count, size, ttl or timeout is out of range"}
    words = ["ping", "-c", str(count), "-s", str(size), "-t", str(ttl), "-W", str(timeout)]
    if source:
        words += ["-I", source]
    command = f"{shlex.join([*words, destination])} 2>&1"
    # It sends one a second.
    answers = ask(shell, "ping", {"ping": command}, timeout=count + timeout + 15.0)
    return _pinged(answers["ping"], count)


def _pinged(text: str, count: int) -> dict[str, Any]:
    times = [(match[1], float(match[2])) for match in ANSWER.finditer(text)]
    sent = re.search(r"(\d{1,9}) packets transmitted, (\d{1,9}) (?:packets )?received", text)
    if not sent:
        lines = [line for line in text.splitlines() if line.strip() and line[:5] != "PING "]
        return {"error": lines[-1].strip() if lines else "the device has no ping"}
    rtts = [rtt for _, rtt in times]
    average = sum(rtts) / len(rtts) if rtts else 0.0
    return {
        "success": {
            "probes_sent": int(sent[1]) or count,
            "packet_loss": max(0, int(sent[1]) - int(sent[2])),
            "rtt_min": min(rtts, default=0.0),
            "rtt_max": max(rtts, default=0.0),
            "rtt_avg": round(average, 3),
            "rtt_stddev": round(
                math.sqrt(sum((rtt - average) ** 2 for rtt in rtts) / len(rtts)), 3
            ) if rtts else 0.0,
            "results": [{"ip_address": address, "rtt": rtt} for address, rtt in times],
        }
    }  # fmt: skip


def traceroute(
    shell: Shell, destination: str, *, source: str, ttl: int, timeout: int
) -> dict[str, Any]:
    """Trace as NAPALM tells it: hops of three probes, times in ms, `*` where none answered."""
    for what in (destination, *filter(None, (source,))):
        if not HOST.fullmatch(what):
            return {"error": f"{what[:80]!r} is no host name or address"}
    if not (1 <= ttl <= 255 and 1 <= timeout <= 60):
        return {"error": "ttl or timeout is out of range"}
    hops = min(ttl, 30)
    words = ["traceroute", "-n", "-q", "3", "-m", str(hops), "-w", str(timeout)]
    if source:
        words += ["-s", source]
    command = f"{shlex.join([*words, destination])} 2>&1"
    answers = ask(shell, "traceroute", {"trace": command}, timeout=3.0 * hops * timeout + 15)
    return _traced(answers["trace"])


def _traced(text: str) -> dict[str, Any]:
    found: dict[int, Any] = {}
    for line in text.splitlines():
        match = re.match(r"\s*(\d{1,3}) +(.+)$", line)
        if not match or line.startswith("traceroute"):
            continue
        probes: dict[int, dict[str, Any]] = {}
        address = "*"
        for word in PROBE.findall(match[2]):
            if word == "*":
                probes[len(probes) + 1] = {"rtt": 0.0, "ip_address": "*", "host_name": "*"}
            elif re.fullmatch(r"\d{1,9}\.\d{1,9}", word):
                probes[len(probes) + 1] = {"rtt": float(word), "ip_address": address,
                                           "host_name": address}  # fmt: skip
            else:
                address = word
        found[int(match[1])] = {"probes": probes}
    if not found:
        lines = [line for line in text.splitlines() if line.strip()]
        return {"error": lines[-1].strip() if lines else "the device has no traceroute"}
    return {"success": found}
