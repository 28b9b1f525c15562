"""The lease: one holder at a time, whoever asks when, and a holder that finds out it lost it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from collectors import holder
from collectors.lease import LeaseTable, read_lease
from collectors.lease_keeper import LeaseKeeper, LeaseLostError, lease_s
from farola.errors import InventoryError
from farola.settings import Settings
from inventory.db import Inventory, upgrade
from inventory.models import Lease


@pytest.fixture
def inventory(home):
    home.mkdir()
    opened = Inventory(Settings(home))
    upgrade(opened.engine)
    yield opened
    opened.close()


def run_out(inventory: Inventory) -> None:
    """As if nobody had renewed the lease in its time."""
    with inventory.session() as session:
        row = session.get(Lease, "collector")
        row.expires_at = row.expires_at.replace(year=2020)


def test_it_is_taken_renewed_given_back_and_taken_by_another(inventory):
    table = LeaseTable(inventory, 60)
    assert table.seen() is None
    assert table.take("a") == 1
    assert table.take("b") is None
    assert table.take("a") is None  # even its holder takes it once
    seen = table.seen()
    assert (seen.holder, seen.term, seen.valid) == ("a", 1, True)
    assert 59 < (seen.expires_at - seen.since).total_seconds() <= 60
    assert table.renew("a", 1)
    assert not table.renew("b", 1)
    assert not table.renew("a", 2)
    assert not table.release("b", 1)
    assert table.release("a", 1)
    assert not table.seen().valid
    assert table.take("b") == 2
    assert not table.renew("a", 1)
    assert not table.release("a", 1)


def test_a_lease_that_ran_out_is_free_and_its_holder_may_still_have_it(inventory):
    table = LeaseTable(inventory, 60)
    table.take("a")
    run_out(inventory)
    assert table.renew("a", 1)
    run_out(inventory)
    assert table.take("b") == 2
    assert not table.renew("a", 1)


def test_of_many_that_ask_at_once_one_gets_it(inventory):
    tables = [LeaseTable(Inventory(inventory.settings), 60) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for term in (1, 2, 3):
            got = list(pool.map(lambda pair: pair[1].take(f"c{pair[0]}"), enumerate(tables)))
            assert sorted(one for one in got if one is not None) == [term]
            run_out(inventory)
    for table in tables:
        table.inventory.close()


def test_a_paused_holder_finds_out_before_it_writes(inventory):
    async def main():
        now = [0.0]
        one = LeaseKeeper(inventory, "one", 1, clock=lambda: now[0])
        two = LeaseKeeper(inventory, "two", 60)
        assert await one.take()
        assert not await two.take()
        assert (await two.other()).holder == one.holder
        one.confirm()
        run_out(inventory)  # a pause: nobody took it, so it goes on
        one.confirm()
        with inventory.session() as session:
            assert read_lease(session).valid
        run_out(inventory)
        assert await two.take()
        with pytest.raises(
            LeaseLostError, match=r"another collector took the lease: two \(pid \d+\)"
        ):
            one.confirm()
        assert await one.keep() == "another collector took the lease"
        await one.release()  # gives nothing back that is another's
        two.confirm()

    asyncio.run(main())


def test_while_the_inventory_is_away_its_own_clock_counts(inventory, monkeypatch):
    async def main():
        now = [100.0]
        keeper = LeaseKeeper(inventory, "one", 0.4, clock=lambda: now[0])
        assert await keeper.take()

        def away(*_arguments):
            now[0] += 0.2
            raise InventoryError("inventory is away")

        monkeypatch.setattr(LeaseTable, "seen", away)
        monkeypatch.setattr(LeaseTable, "renew", away)
        keeper.confirm()
        assert "could not be renewed: inventory is away" in await keeper.keep()
        with pytest.raises(LeaseLostError, match="ran out"):
            keeper.confirm()

    asyncio.run(main())


def test_what_was_not_foreseen_does_not_end_a_holder(inventory, monkeypatch, capsys):
    async def main():
        keeper = LeaseKeeper(inventory, "one", 0.4)
        assert await keeper.take()
        renew, turns = LeaseTable.renew, []

        def breaking(*arguments):
            turns.append(1)
            if len(turns) == 1:
                raise OSError(24, "Too many open files")
            if len(turns) == 3:
                run_out(inventory)
                assert LeaseTable(inventory, 60).take("another")
            return renew(*arguments)

        monkeypatch.setattr(LeaseTable, "renew", breaking)
        assert await keeper.keep() == "another collector took the lease"

    asyncio.run(main())
    assert (
        "lease not renewed yet: OSError: [Errno 24] Too many open files" in capsys.readouterr().err
    )


def test_an_inventory_that_hangs_does_not_keep_a_holder_polling(inventory, monkeypatch):
    async def main():
        keeper = LeaseKeeper(inventory, "one", 0.4)
        assert await keeper.take()
        answers = threading.Event()
        monkeypatch.setattr(LeaseTable, "renew", lambda *_: answers.wait(60))
        assert "could not be renewed: the inventory does not answer" in await keeper.keep()
        answers.set()

    asyncio.run(main())


def test_a_standby_starts_within_two_intervals():
    for interval in (1, 5, 60, 300, 86_400):
        keeper = LeaseKeeper.__new__(LeaseKeeper)
        LeaseKeeper.__init__(keeper, None, "x", interval)  # type: ignore[arg-type]
        assert lease_s(interval) + keeper.check_s + min(interval / 4, 5) < 2 * interval
        assert keeper.renew_s < lease_s(interval) / 3


def test_a_process_that_was_killed_is_gone_and_one_that_lives_is_not():
    script = "from collectors.holder import own_mark; print(own_mark(), flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    mark = f"noc {child.stdout.readline().strip()}"
    assert not holder.is_gone(mark)
    assert not holder.is_gone(f"noc {holder.own_mark()}")
    child.kill()
    while holder.PROC.joinpath(str(child.pid), "stat").read_text().rsplit(")", 1)[1][1] != "Z":
        time.sleep(0.01)
    assert holder.is_gone(mark)  # a zombie already
    child.wait()
    child.stdout.close()
    child.stdin.close()
    assert holder.is_gone(mark)
    # Its number may have been given to another process by now.
    reused = mark.replace(f"pid {child.pid}", f"pid {os.getpid()}")
    assert holder.is_gone(reused)
    for elsewhere in ("", "noc", mark.replace(", ", ", 0"), f"noc (pid {child.pid}, 00000000-1)"):
        assert not holder.is_gone(elsewhere)
