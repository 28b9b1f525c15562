"""The inventory on a real PostgreSQL of our own: tables, lease, a read-only server, a restart."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from click.testing import CliRunner
from prometheus_client import generate_latest
from sqlalchemy import text

from collectors import service
from collectors.lease import LeaseTable
from collectors.lease_keeper import LeaseKeeper, LeaseLostError
from collectors.metrics import FAILURES, Gauges
from collectors.poll import Summary
from farola.cli import farola
from farola.errors import InventoryError
from farola.keys import create_key
from farola.settings import Settings, load_settings, write_settings
from inventory import audit_log
from inventory.db import Inventory, open_engine, upgrade
from inventory.models import Base, Device, Lease
from provisioning.change.locks import free
from tests.collectors.snmp.test_active_standby import Collecting, polled_by, until
from tests.collectors.test_metrics import scraped
from tests.conftest import require
from tests.inventory.test_audit_log import many_writers

pytestmark = pytest.mark.service
OPTIONS = "-c listen_addresses='' -c fsync=off -c shared_buffers=16MB -c max_connections=30"


@dataclass(frozen=True)
class Server:
    """A cluster in `folder`, reached by a socket there alone."""

    binaries: Path
    folder: Path
    user: str | None

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://farola@/postgres?host={self.folder}"

    def call(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self.binaries / program, *words], user=self.user, cwd=self.folder, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def control(self, what: str) -> None:
        self.call(
            "pg_ctl", what, "-w", "-s", "-m", "fast", "-D", f"{self.folder}/data",
            "-l", f"{self.folder}/log", "-o", f"{OPTIONS} -k {self.folder}",
        )  # fmt: skip

    def run(self, *statements: str) -> None:
        engine = open_engine(self.url)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def be_read_only(self, on: bool) -> None:
        """As a server is that a failover made a standby."""
        state = "on" if on else "off"
        self.run(
            f"ALTER SYSTEM SET default_transaction_read_only = {state}", "SELECT pg_reload_conf()"
        )


@pytest.fixture(scope="module")
def server(needs_program: Callable[[str, str], str]) -> Iterator[Server]:
    needs_program("pg_createcluster", "postgresql")
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4])
    )
    require(bool(found), "PostgreSQL's server is missing: apt-get install postgresql")
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="farola-pg-"))  # pytest's own folder is root's alone
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    one = Server(found[-1].parent, folder, user)
    try:
        one.call(
            "initdb", "-N", "-A", "trust", "-U", "farola", "-E", "UTF8", "-D", f"{folder}/data"
        )
        one.control("start")
        yield one
        one.control("stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def city(home: Path, server: Server) -> Iterator[Inventory]:
    """A home whose inventory is empty tables of the server."""
    server.be_read_only(False)
    server.run("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    write_settings(Settings(home, database_url=server.url))
    create_key(home)
    audit_log.begin(home)
    opened = Inventory(load_settings())
    upgrade(opened.engine)
    yield opened
    opened.close()


def told(*words: str) -> str:
    done = CliRunner().invoke(farola, words, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_a_city_is_made_on_it_and_its_tables_are_the_models(city: Inventory) -> None:
    told("init")  # again
    told("maintenance", "add", "--city", "--reason", "a new core")
    assert "a new core" in told("maintenance", "list")
    assert json.loads(told("status", "--json"))["counts"]["devices"] == 0
    with city.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_many_forked_writers_make_one_audit_log(city: Inventory, home: Path) -> None:
    city.close()
    many_writers(home)


def run_out(inventory: Inventory) -> None:
    with inventory.session() as session:
        row = session.get(Lease, "collector")
        assert row is not None
        row.expires_at = row.expires_at.replace(year=2020)


def test_of_many_that_ask_for_the_lease_at_once_one_gets_it(city: Inventory) -> None:
    tables = [LeaseTable(Inventory(city.settings), 60) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for term in (1, 2, 3):
            got = list(pool.map(lambda pair: pair[1].take(f"c{pair[0]}"), enumerate(tables)))
            assert sorted(one for one in got if one is not None) == [term]
            run_out(city)
    for table in tables:
        table.inventory.close()


def test_two_holders_never_hold_it_together(city: Inventory) -> None:
    async def main() -> None:
        one, two = (LeaseKeeper(city, name, 60) for name in ("one", "two"))
        assert await one.take()
        assert not await two.take()
        other = await two.other()
        assert other is not None
        assert other.holder == one.holder
        assert round((other.expires_at - other.since).total_seconds()) == 75
        one.confirm()
        run_out(city)
        one.confirm()  # nobody took it: it goes on
        run_out(city)
        assert await two.take()
        with pytest.raises(LeaseLostError, match="another collector took the lease"):
            one.confirm()
        two.confirm()
        await two.release()
        assert await one.take()

    asyncio.run(main())


def test_a_read_only_server_is_one_line_and_survived(
    city: Inventory, server: Server, home: Path
) -> None:
    one = Collecting("one", home)
    try:
        until(polled_by, lambda: one.said)
        server.be_read_only(True)
        city.engine.dispose()
        with pytest.raises(InventoryError) as refused, city.session() as session:
            session.add(Device(id="b", name="b"))
        assert "read-only transaction; is it a standby?" in str(refused.value)
        assert "\n" not in str(refused.value)
        one.until_said("cannot be read")
        server.be_read_only(False)
        before = len(polled_by())
        until(lambda: len(polled_by()) > before, lambda: one.said)
    finally:
        code = one.end(signal.SIGTERM)
    assert code == 0
    assert any("lease not renewed yet" in line and "read-only" in line for line in one.said)


def test_a_role_without_rights_is_one_line(city: Inventory, server: Server) -> None:
    server.run(
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN",
        "GRANT USAGE ON SCHEMA public TO reader",
    )
    other = Inventory(Settings(Path(), database_url=server.url.replace("farola@", "reader@")))
    with pytest.raises(InventoryError, match="permission denied"), other.session() as s:
        s.get(Device, "x")
    other.close()


def test_a_restart_of_the_server_costs_no_poll(
    city: Inventory, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with city.session() as one, city.session() as two:  # two connections in the pool
        assert one.scalar(text("SELECT 1")) == two.scalar(text("SELECT 1"))
    server.control("restart")
    for _ in range(2):
        with city.session() as session:
            assert session.get(Device, "ap") is None
    seen, polled = list[Gauges](), list[Summary]()
    monkeypatch.setattr(service, "Gauges", lambda: seen.append(Gauges()) or seen[-1])

    def report(summary: Summary) -> None:
        polled.append(summary)
        if len(polled) < 2:
            server.control("restart")

    asyncio.run(service.collect_run(city.settings, service.Plan(1, 2), report))
    values = scraped(generate_latest(seen[0].registry).decode())
    assert len(polled) == values["farola_polls_stored_total"] == 2
    assert {reason: values[f"farola_polls_lost_total[{reason}]"] for reason in FAILURES} == (
        dict.fromkeys(FAILURES, 0)
    )


def test_of_two_machines_one_pushes_a_change(city: Inventory, tmp_path: Path) -> None:
    ours = city.settings
    theirs = Settings(tmp_path / "theirs", database_url=ours.database_url)
    theirs.home.mkdir()
    with free(ours, 7) as one, free(theirs, 7) as two, free(theirs, 8) as another:
        assert (one, two, another) == (True, False, True)
    with free(theirs, 7) as two:
        assert two
