"""The collector's own health for Prometheus: a registry of its own, served on `/metrics`. No device
is named there: a city of them would be as many series.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from collectors.poll import Summary
from collectors.snmp.traps import TrapCounts
from farola.errors import SettingsError

_LAST_POLL = (
    ("devices", "Devices that the last poll asked."),
    ("answered", "Devices that answered the last poll."),
    ("timed_out", "Devices that did not answer the last poll."),
    ("skipped", "Live devices that cannot be polled: no address or no credential."),
    ("partial", "Devices that answered the last poll only in part."),
    ("down", "Devices that are down as of the last poll, but for those in maintenance."),
    ("maintenance", "Devices that are down in maintenance as of the last poll."),
    ("duration_seconds", "How long the last poll took."),
    ("cpu_seconds", "CPU time of the last poll."),
    ("unknown_access_points", "Access points of controllers that the inventory lacks."),
    ("lag_seconds", "How long after its due time the last poll started."),
)
_PACKETS = (
    ("sent", "SNMP packets sent, repeated ones too."),
    ("received", "SNMP packets received."),
    ("retried", "SNMP packets sent again."),
    ("kernel_drops", "Replies that the kernel threw away: the receive buffer was full."),
    ("malformed", "Packets that are no SNMP, cut short, oversized or of another version."),
    ("unmatched", "Replies to nothing that was open: late, replayed, forged or from elsewhere."),
)
FAILURES = ("store", "inventory", "lease lost", "other")


class Gauges:
    """What is told on `/metrics`; set by the event loop, read by the server's thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.traps: TrapCounts | None = None
        """Of the receiver that listens now."""
        self.active = self._gauge("farola_collector_active", "1 while this collector polls.")
        self._poll = {name: self._gauge(f"farola_poll_{name}", text) for name, text in _LAST_POLL}
        self._success = self._gauge(
            "farola_poll_last_success_timestamp_seconds", "When a poll was last stored."
        )
        self._stored = self._counter("farola_polls_stored", "Polls that were stored.")
        self._late = self._counter(
            "farola_polls_late", "Polls that were left out because an earlier one took too long."
        )
        self._cpu = self._counter("farola_polls_cpu_seconds", "CPU time of all polls.")
        self._packets = {
            name: self._counter(f"farola_snmp_{name}", text) for name, text in _PACKETS
        }
        self._lost = Counter(
            "farola_polls_lost", "Polls that were not stored, by what they were lost to.",
            ("reason",), registry=self.registry,
        )  # fmt: skip
        for reason in FAILURES:
            self._lost.labels(reason)
        self._jobs = Counter(
            "farola_jobs_failed", "Turns of jobs beside the polls that were left out.",
            ("job",), registry=self.registry,
        )  # fmt: skip
        self.registry.register(_Traps(self))
        ProcessCollector(registry=self.registry)

    def poll_done(self, summary: Summary) -> None:
        """A poll was stored."""
        told = {
            "devices": summary.devices, "answered": summary.answered,
            "timed_out": summary.timed_out, "skipped": summary.skipped,
            "partial": len(summary.partial), "down": len(summary.down),
            "maintenance": len(summary.maintenance),
            "duration_seconds": summary.duration_s, "cpu_seconds": summary.cpu_s,
            "lag_seconds": summary.lag_s,
            "unknown_access_points": len(summary.unknown_access_points),
        }  # fmt: skip
        for name, value in told.items():
            self._poll[name].set(value)
        self._success.set(time.time())
        self._stored.inc()
        self._late.inc(summary.late)
        self._cpu.inc(summary.cpu_s)
        for name, counter in self._packets.items():
            counter.inc(getattr(summary, name))

    def poll_failed(self, reason: str, late: int) -> None:
        """A poll was lost to one of FAILURES; `late` polls before it were left out."""
        self._lost.labels(reason).inc()
        self._late.inc(late)

    def job_failed(self, name: str) -> None:
        """A turn of the job `name` was left out."""
        self._jobs.labels(name).inc()

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, registry=self.registry)


class _Traps(Collector):
    """Counts of the trap receiver, looked up when they are asked for."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterable[CounterMetricFamily]:
        """One family; empty while no traps are received."""
        family = CounterMetricFamily(
            "farola_traps", "Traps and informs by what became of them.", labels=("outcome",)
        )
        if self._gauges.traps is not None:
            for outcome, count in self._gauges.traps.as_json().items():
                family.add_metric((outcome,), count)
        yield family


@contextlib.contextmanager
def serve_metrics(gauges: Gauges, where: tuple[str, int] | None) -> Iterator[None]:
    """Serve `gauges` at `where` from a thread; nothing if `where` is None.

    Raises
    ------
    SettingsError
        The address cannot be listened on.
    """
    if where is None:
        yield
        return
    try:
        server, thread = start_http_server(where[1], where[0], registry=gauges.registry)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no host"
        raise SettingsError(
            f"cannot serve metrics on {where[0]}:{where[1]}: {why}; choose another --metrics"
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
