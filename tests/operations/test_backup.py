"""A city in one file: made while it is written to, without the key; and a home made of it."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import stat
import subprocess
import tarfile
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from farola.cli import farola
from farola.errors import InputError, StoreError
from farola.keys import Keyring
from farola.settings import Settings, load_settings
from inventory import audit_log
from inventory.db import open_inventory
from inventory.queries import secrets, store_secrets
from operations.backup import back_up
from operations.restoring import restore
from provisioning.history.configs import REPOSITORY, History
from tests.operations.tampering import TAMPERED
from timeseries import Batch
from timeseries.delivery import packed
from timeseries.marks import Marks
from timeseries.spool import Spool
from timeseries.spool_file import Packed
from timeseries.sqlite import SqliteStore

NOW = 1_715_950_000_000
NAMES = [f"ap-{i:02}" for i in range(200)]


def poll(at: int) -> list[Batch]:
    n = len(NAMES)
    fields: dict[str, list[Any]] = {"answered": [True] * n, "reboots": [at] * n}
    return [Batch("device", [at] * n, {"device": NAMES}, fields)]


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an inventory and a credential, and its key beside it."""
    folder = tmp_path_factory.mktemp("city")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAROLA_HOME", str(folder / "home"))
        patch.setenv("FAROLA_KEY_FILE", str(folder / "key"))
        farola.main(["init", "--name", "Ciudad", "--json"], standalone_mode=False)
        inventory = open_inventory(load_settings(folder / "home"))
        with inventory.session() as session:
            keyring = Keyring(folder / "home")
            store_secrets(session, "ssh", "admin", {"password": "hunter2"}, keyring)
        inventory.close()
    return folder


@pytest.fixture
def city(fresh: Path, home: Path, key: Path) -> Settings:
    """A home with a bit of everything."""
    shutil.copytree(fresh / "home", home)
    key.parent.mkdir()
    shutil.copy(fresh / "key", key)
    settings = load_settings(home)
    with closing(SqliteStore(home / "series")) as store:
        store.write(poll(NOW - 86_400_000))
    spool = Spool(home / "spool")
    spool.add([Packed(packed(b"poll,collector=c devices=1i 1"), 1, 1, 1, (0,), ("poll",))])
    spool.close()
    for name in ("history/device-ap%201/v.fernet", "profiles/lamp.yaml", "templates/é.yaml",
                 "cache/big", "variables.yaml", "mine.txt"):  # fmt: skip
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"content of {name}")
    return settings


@pytest.fixture
def key(home: Path) -> Path:
    return Path(os.environ["FAROLA_KEY_FILE"])


def test_a_backup_made_while_polls_go_on_is_whole(
    cli: Any, city: Settings, home: Path, tmp_path: Path
) -> None:
    store = SqliteStore(home / "series", Marks(home / "series", city.city.zone))
    stopped, acknowledged = threading.Event(), [0]

    def collect() -> None:
        while not stopped.is_set():
            store.write(poll(NOW + (acknowledged[0] + 1) * 60_000))
            acknowledged[0] += 1

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        while acknowledged[0] < 3:
            stopped.wait(0.01)
        before = acknowledged[0]
        file = tmp_path / "city.tar"
        made = back_up(city, file)
        after = acknowledged[0]
    finally:
        stopped.set()
        thread.join()
        store.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".city")] == []
    assert made.left_out == ["mine.txt"]
    again = tmp_path / "again"
    done = restore(file, again)
    assert {stat.S_IMODE(p.stat().st_mode) & 0o77 for p in again.rglob("*")} == {0}
    assert (done.key, done.city, done.files) == ("there", "Ciudad", len(made.files))
    for name in ("history/device-ap%201/v.fernet", "profiles/lamp.yaml", "templates/é.yaml",
                 "variables.yaml", "farola.toml"):  # fmt: skip
        assert (again / name).read_bytes() == (home / name).read_bytes()
    assert not (again / "cache").exists()
    with closing(SqliteStore(again / "series")) as copy:
        newest = copy.latest("device")
        polls = set(newest.fields["reboots"])
        assert len(newest) == len(NAMES)
        assert len(polls) == 1, "a poll is there whole or not at all"
        assert before <= (newest.times[0] - NOW) // 60_000 <= after + 1
    spool = Spool(again / "spool")
    assert spool.backlog().rows == 1
    spool.close()
    inventory = open_inventory(load_settings(again))
    with inventory.session() as session:
        found = secrets(session, "ssh", Keyring(again))
    inventory.close()
    assert found.values == {"password": "hunter2"}


def test_kept_configs_and_the_audit_log_come_back_whole_while_more_are_added(
    city: Settings, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "package wireless\n\nconfig wifi-iface 'a'\n\toption key '{}'\n\n"
    history = History(home, Keyring(home))
    stop = threading.Event()

    def add() -> None:
        for number in range(1000):
            if stop.is_set():
                return
            history.add("ap-1", text.format(f"secret {number}"))

    adding = threading.Thread(target=add)
    inventory = open_inventory(city)
    with inventory.session() as session:
        audit_log.record(session, "ana", "device.pushed")
    history.add("ap-1", text.format("first"))
    adding.start()
    try:
        back_up(city, tmp_path / "city.tar")
    finally:
        stop.set()
        adding.join()
    other = tmp_path / "other"
    restore(tmp_path / "city.tar", other)
    again = History(other, Keyring(other))
    versions = again.versions("ap-1")
    assert again.text(versions[0]) == text.format("first")
    assert all(again.text(one).startswith("package wireless") for one in versions)
    assert again.add("ap-1", text.format("last"))[1]
    done = subprocess.run(["git", "--git-dir", other / REPOSITORY, "fsck", "--strict"],
                          capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("FAROLA_HOME", str(other))
    copy = open_inventory(load_settings(other))
    with copy.session() as session:
        assert audit_log.verify(session).whole
    copy.close()
    inventory.close()


def test_the_key_is_never_in_it_whatever_it_is_called(
    cli: Any, city: Settings, home: Path, key: Path, tmp_path: Path
) -> None:
    (home / "profiles" / "copy.yaml").write_bytes(key.read_bytes() + b"\n")
    (home / "templates" / "link.yaml").symlink_to(key)
    file = tmp_path / "city.tar"
    done = cli("backup", file)
    assert key.read_bytes().strip() not in file.read_bytes()
    assert b"hunter2" not in file.read_bytes()
    assert "profiles/copy.yaml (the key), templates/link.yaml (the key), mine.txt" in done.out
    assert f"the key with the fingerprint {told(cli, tmp_path)}; keep it apart" in done.out


def told(cli: Any, folder: Path) -> str:
    return str(json.loads(cli("backup", folder / "second.tar", "--json").out)["key_fingerprint"])


def test_restore_says_which_key_is_needed_and_whether_it_is_there(
    cli: Any, city: Settings, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "city.tar"
    cli("backup", file)
    fingerprint = told(cli, tmp_path)
    states = {"there": key, "missing": tmp_path / "nowhere", "another": tmp_path / "other"}
    states["another"].write_bytes(Fernet.generate_key())
    states["another"].chmod(0o600)
    for number, (state, path) in enumerate(states.items()):
        monkeypatch.setenv("FAROLA_KEY_FILE", str(path))
        monkeypatch.setenv("FAROLA_HOME", str(tmp_path / f"home{number}"))
        done = cli("restore", file, "--json")
        data = json.loads(done.out)
        assert (data["key"], data["key_fingerprint"], data["key_file"]) == (
            state, fingerprint, str(path),
        )  # fmt: skip
        monkeypatch.setenv("FAROLA_HOME", str(tmp_path / f"again{number}"))
        words = cli("restore", file)
        said = words.out + words.err
        assert fingerprint in said
        assert str(path) in said
        assert ("can be read: " in said) == (state == "there")


@pytest.fixture
def file(city: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "city.tar"
    back_up(city, path)
    return path


def test_what_is_not_as_it_was_made_is_refused_and_nothing_written(
    file: Path, tmp_path: Path
) -> None:
    bad, home = tmp_path / "bad.tar", tmp_path / "deep" / "home"
    for case, (tamper, said) in TAMPERED.items():
        with tarfile.open(file) as tar:
            members = [(m, tar.extractfile(m).read()) for m in tar]  # type: ignore[union-attr]  # files
        tamper(members)
        with tarfile.open(bad, "w", format=tarfile.PAX_FORMAT) as out:
            for info, data in members:
                out.addfile(info, io.BytesIO(data))
        with pytest.raises(InputError, match=said) as error:
            restore(bad, home)
        assert "\n" not in str(error.value), case
        assert not home.parent.exists(), case
    assert not (tmp_path / "evil").exists()


def test_a_file_cut_short_or_spoilt_anywhere_is_refused(file: Path, tmp_path: Path) -> None:
    data, r = file.read_bytes(), random.Random(1)
    bad, home = tmp_path / "bad.tar", tmp_path / "home2"
    cuts = [0, 1, 511, 512, len(data) // 2, *(r.randrange(len(data) - 12_000) for _ in range(20))]
    for cut in cuts:
        bad.write_bytes(data[:cut])
        with pytest.raises(InputError):
            restore(bad, home)
    bad.write_bytes(b"no tar at all" * 100)
    with pytest.raises(InputError, match="no backup of Farola"):
        restore(bad, home)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        restore(tmp_path / "none.tar", home)
    assert not home.exists()


@pytest.mark.parametrize("name", ["inventory.db", "series/raw-2024-05-17.db", "series/rollups.db"])
def test_a_damaged_database_is_named_and_no_backup_is_made(
    fresh: Path, tmp_path: Path, name: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(fresh / "home", home)
    with closing(SqliteStore(home / "series")) as store:
        n = len(NAMES)
        hour = Batch("device_hour", [NOW] * n, {"device": NAMES}, {"polls": [1] * n})
        store.write([*(one for k in range(9) for one in poll(NOW + k)), hour])
    settings = load_settings(home)
    back_up(settings, tmp_path / "well.tar")
    path = home / name
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * (path.stat().st_size - 2 * 4096))
    with pytest.raises(StoreError, match=rf"{path}: .*restore it from a backup") as error:
        back_up(settings, tmp_path / "bad.tar")
    assert "\n" not in str(error.value)
    assert [p.name for p in tmp_path.iterdir() if p.name not in ("home", "well.tar")] == []


@pytest.mark.parametrize("data", [b"", b"just a text\n", b"\x1f\x8b\x08rubbish"])
def test_what_is_no_tar_is_one_plain_line(data: bytes, tmp_path: Path) -> None:
    (path := tmp_path / "notes.txt").write_bytes(data)
    with pytest.raises(InputError) as error:
        restore(path, tmp_path / "home")
    assert str(error.value) == (
        f"{path} is no backup of Farola, or not whole: name a file that `farola backup` wrote"
    )


def test_only_an_empty_home_is_restored_into(cli: Any, city: Settings, file: Path) -> None:
    done = cli("restore", file, code=1)
    assert "is not empty: a backup is restored into an empty home" in done.err
    assert len(done.err.splitlines()) == 1
    assert load_settings(city.home) == city


def test_a_restore_that_was_cut_off_leaves_no_home_and_can_be_repeated(
    file: Path, tmp_path: Path
) -> None:
    home, seen = tmp_path / "home3", [0]

    def stop(_n: int) -> None:
        seen[0] += 1
        if (home / ".restoring").exists() and seen[0] > 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(file, home, stop)
    assert not home.exists()
    (home / ".restoring").mkdir(parents=True)  # as a kill leaves it
    (home / ".restoring" / "farola.toml").write_text("half")
    restore(file, home)
    assert load_settings(home).city.name == "Ciudad"
    assert not [p.name for p in home.iterdir() if p.name.startswith(".")]


def test_a_file_is_never_replaced_and_faults_are_one_line(
    cli: Any, city: Settings, file: Path, tmp_path: Path
) -> None:
    before = file.read_bytes()
    assert "is there already" in cli("backup", file, code=1).err
    assert file.read_bytes() == before
    done = cli("backup", tmp_path / "no" / "folder.tar", code=1)
    assert "cannot be written: No such file" in done.err
    assert len(done.err.splitlines()) == 1
    (city.home / "series" / "latest.db").write_bytes(b"spoilt" * 1000)
    target = tmp_path / "spoilt.tar"
    assert "latest.db: file is not a database" in cli("backup", target, code=1).err
    assert not [p for p in tmp_path.iterdir() if "spoilt" in p.name]


def test_an_inventory_on_postgresql_is_left_to_pg_dump(
    cli: Any, city: Settings, tmp_path: Path
) -> None:
    toml = city.home / "farola.toml"
    url = "postgresql+psycopg://farola:geheim@db.example/farola"
    toml.write_text(toml.read_text() + f'[inventory]\ndatabase_url = "{url}"\n')
    done = cli("backup", tmp_path / "pg.tar")
    assert "pg_dump does that part" in done.err
    assert "holds the database's password" in done.err
    assert "geheim" not in done.out + done.err
    with tarfile.open(tmp_path / "pg.tar") as tar:
        assert "inventory.db" not in tar.getnames()
