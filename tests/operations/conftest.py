"""Shared by the tests of what runs the parts."""

from __future__ import annotations

import socket

import pytest

from tests.inventory.conftest import cli

__all__ = ["cli"]


@pytest.fixture
def unused_port() -> int:
    """A loopback port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
