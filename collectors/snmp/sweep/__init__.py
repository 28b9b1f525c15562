"""The SNMP v1 and v2c sweep: a city over one socket, on a fraction of a core."""

from collectors.snmp.sweep.poller import SweepPoller

__all__ = ["SweepPoller"]
