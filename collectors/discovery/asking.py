"""Which poller discovery asks through."""

from __future__ import annotations

from collectors.snmp.poller import Poller, PysnmpPoller


def make_poller() -> Poller:
    """A poller of its own for one bunch of targets."""
    return PysnmpPoller()
