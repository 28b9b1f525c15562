"""Passwords and keys of an access point are changed whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from napalm.base.exceptions import CommandErrorException

from napalm_openwrt.session import Access, Session
from napalm_openwrt.sign_in import add_key, remove_key, set_password
from tests.fleets import PASSWORD, Lone, lone_point

OLD, NEW = "ssh-ed25519 AAAAC3NzaOLD old", "ssh-ed25519 AAAAC3NzaNEW new"


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Lone]:
    with lone_point(tmp_path) as lone:
        yield lone


def signed_in(point: Lone, password: str = PASSWORD) -> Session:
    return Session(
        Access(point.address, point.port, "root", password, known_hosts=str(point.known_hosts))
    )


def test_keys_come_and_go_one_by_one(point: Lone) -> None:
    session, keys = signed_in(point), point.root / "etc/dropbear/authorized_keys"
    remove_key(session, OLD)
    for key in (OLD, NEW, OLD):
        add_key(session, key)
    assert keys.read_text("utf-8").splitlines() == [NEW, OLD]
    remove_key(session, OLD)
    assert keys.read_text("utf-8").splitlines() == [NEW]
    session.close()


@pytest.mark.parametrize("job", [add_key, remove_key])
def test_a_full_flash_leaves_the_keys_as_they_were(point: Lone, job: object) -> None:
    session, keys = signed_in(point), point.root / "etc/dropbear/authorized_keys"
    add_key(session, OLD)
    add_key(session, NEW)
    before = keys.read_bytes()
    point.strings.full(full=True)
    with pytest.raises(CommandErrorException, match="not changed"):
        job(session, OLD)  # type: ignore[operator]
    assert keys.read_bytes() == before
    assert [path.name for path in keys.parent.glob("authorized_keys.*")] == []
    session.close()


def test_a_new_password_lets_in_and_the_old_one_does_not(point: Lone) -> None:
    session = signed_in(point)
    set_password(session, "it's new")
    session.close()
    signed_in(point, "it's new").close()
    with pytest.raises(Exception, match="refused"):
        signed_in(point)
