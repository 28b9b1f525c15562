"""Batches that Ansible's worker hands to the process that rolls a change out."""

from __future__ import annotations

import socket
import stat
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from farola.errors import ProvisioningError
from provisioning.rollout import handout
from provisioning.rollout.desk import Desk


def alive() -> bool:
    return True


def handed(pool: ThreadPoolExecutor, *devices: str) -> Future[dict[str, str]]:
    return pool.submit(handout.hand_out, 3, devices)


def test_batch_after_batch_is_brought_and_ansible_waits_until_it_may_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ("long" * 40)).mkdir()
    desk = Desk(tmp_path / ("long" * 40) / "desk", 3)
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600
    monkeypatch.setenv(handout.DESK, str(desk.path))
    with ThreadPoolExecutor(1) as pool:
        first = handed(pool, "ap 1'😀", "ap2")
        assert desk.wait(alive) == ("ap 1'😀", "ap2")
        assert not first.done()
        desk.answer({"ap 1'😀": "pushed", "ap2": "failed"})
        assert first.result(30) == {"ap 1'😀": "pushed", "ap2": "failed"}
        second = handed(pool, "ap3")
        assert desk.wait(alive) == ("ap3",)
        desk.close()
        with pytest.raises(handout.NobodyThere, match="farola provision status 3"):
            second.result(30)
        with pytest.raises(handout.NobodyThere):
            handed(pool, "ap4").result(30)


def test_rubbish_and_batches_of_another_change_are_not_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path / "desk", 3)
    monkeypatch.setenv(handout.DESK, str(desk.path))
    said = (
        b"", b"rubbish\n", b"[]\n", b'{"change": 3}\n', b"\xff\n",
        b'{"change": 4, "devices": ["ap1"]}\n',
    )  # fmt: skip
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(desk.wait, alive)
        for line in said:
            with socket.socket(socket.AF_UNIX) as worker:
                worker.connect(str(desk.path))
                worker.sendall(line)
        assert not waiting.done()
        with socket.socket(socket.AF_UNIX) as worker:
            worker.connect(str(desk.path))
            worker.sendall(b'{"change": 3, "devices": ["ap1"]}\n')
            assert waiting.result(30) == ("ap1",)
    desk.answer({"ap1": "pushed"})  # to a worker that died
    desk.close()


def test_where_ansible_ends_nobody_is_waited_for(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk", 3)
    assert desk.wait(lambda: False) == ()
    desk.close()


def test_a_folder_in_which_no_socket_can_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProvisioningError, match="set TMPDIR"):
        Desk(tmp_path / "nowhere" / "desk", 3)
