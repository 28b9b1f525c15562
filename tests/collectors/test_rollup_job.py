"""Rollups beside the polls: a server that does not answer keeps no collector from going on."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from collectors import rollup_job
from farola.settings import Settings, StoreSettings


def test_a_server_that_does_not_answer_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup_job, "END_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = Settings(tmp_path, store=StoreSettings("influx", url, "v1"))
        asked: list[socket.socket] = []

        async def begin_and_end() -> None:
            async with rollup_job.rollups_kept(settings):
                asked.append((await asyncio.to_thread(silent.accept))[0])

        asyncio.run(begin_and_end())
        (under_way,) = [one for one in threading.enumerate() if one.name == "rollups"]
        assert under_way.daemon
    for one in asked:
        one.close()
    under_way.join(60)
