"""Turns that Ansible's workers hand to the process that rolls a change out."""

from __future__ import annotations

import socket
import stat
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from farola.errors import ProvisioningError
from provisioning import desk, handout
from provisioning.apply import Applied, Means

MEANS = cast(Means, None)  # what a turn does with them is played here


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Devices whose turn was taken; `bad` cannot be pushed to, and `worse` is a fault of ours."""
    taken: list[str] = []

    def take(_means: Any, _change: int, device: str, *, check: bool) -> Applied:
        taken.append(device)
        if device == "bad":
            raise ProvisioningError("bad is retired")
        if device == "worse":
            raise RuntimeError("a slip")
        return Applied("pushed", "looked" if check else "", "+ ssid 'L'internet \udcff😀'")

    monkeypatch.setattr(desk, "take_turn", take)
    return taken


def test_a_turn_is_handed_out_and_its_end_comes_back(
    turns: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk.open_desk(tmp_path / "desk", MEANS, 3, 2) as path:
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
        monkeypatch.setenv(handout.DESK, path)
        assert handout.hand_out(3, "ap 1'😀") == {
            "status": "pushed", "message": "", "diff": "+ ssid 'L'internet \udcff😀'",
        }  # fmt: skip
        assert handout.hand_out(3, "ap2", check=True)["message"] == "looked"
        assert handout.hand_out(3, "bad") == {"error": "bad is retired"}
        assert handout.hand_out(3, "worse") == {"error": "RuntimeError: a slip"}
        with pytest.raises(handout.NobodyThere):
            handout.hand_out(4, "ap1")  # another change than the one that is rolled out
    assert turns == ["ap 1'😀", "ap2", "bad", "worse"]


def test_rubbish_and_workers_that_die_stop_no_other_turn(
    turns: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk.open_desk(tmp_path / "desk", MEANS, 3, 1) as path:
        monkeypatch.setenv(handout.DESK, path)
        for said in (b"", b"rubbish\n", b"[]\n", b'{"change": 3}\n', b"\xff\n"):
            with socket.socket(socket.AF_UNIX) as worker:
                worker.connect(path)
                worker.sendall(said)
        assert handout.hand_out(3, "ap1")["status"] == "pushed"
    assert turns == ["ap1"]


def test_at_the_end_turns_under_way_are_waited_for_and_none_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = threading.Event(), threading.Event()
    ended: list[str] = []

    def take(_means: Any, _change: int, device: str, *, check: bool) -> Applied:
        began.set()
        go_on.wait(30)
        ended.append(device)
        return Applied("pushed")

    monkeypatch.setattr(desk, "take_turn", take)
    answers: list[dict[str, Any] | str] = []

    def hand(device: str) -> None:
        try:
            answers.append(handout.hand_out(3, device))
        except handout.NobodyThere as error:
            answers.append(str(error))

    with desk.open_desk(tmp_path / "desk", MEANS, 3, 1) as path:
        monkeypatch.setenv(handout.DESK, path)
        first = threading.Thread(target=hand, args=("ap1",))
        first.start()
        assert began.wait(30)
        second = threading.Thread(target=hand, args=("ap2",))
        second.start()
        threading.Timer(0.3, go_on.set).start()
    first.join()
    second.join()
    assert ended[0] == "ap1"
    assert {"status": "pushed", "message": "", "diff": ""} in answers
    with pytest.raises(handout.NobodyThere, match="goes on with"):
        handout.hand_out(3, "ap3")
    assert "ap3" not in ended


def test_where_no_socket_can_be_made_workers_are_told_to_do_it_themselves(tmp_path: Path) -> None:
    with desk.open_desk(tmp_path / ("x" * 120), MEANS, 3, 1) as path:
        assert path == ""
