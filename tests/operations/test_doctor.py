"""`farola doctor` on machines where something is missing."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from collectors.snmp.sweep import pacing
from farola.keys import create_key
from operations import doctor, examinations


def told(run: Any, code: int = 0) -> dict[str, dict[str, Any]]:
    """The checks by name."""
    found = json.loads(run("doctor", "--json", code=code).stdout)
    assert found["ok"] is (code == 0)
    return {check["name"]: check for check in found["checks"]}


def test_nothing_is_missing_in_a_fresh_city(run: Any) -> None:
    run("init", "--name", "Atlantis")
    checks = told(run)
    assert all(check["ok"] for check in checks.values() if check["required"])
    assert {"python", "key", "inventory", "store", "ansible", "git", "playbooks"} <= set(checks)
    done = run("doctor")
    assert "nothing that Farola needs is missing" in done.stdout
    assert "Atlantis" in done.stdout


def test_without_a_city_the_machine_is_still_looked_at(run: Any) -> None:
    checks = told(run, code=1)
    assert not checks["home"]["ok"]
    assert "farola init" in checks["home"]["detail"]
    assert checks["python"]["ok"]
    assert checks["packages"]["ok"]
    assert "1 missing: home" in run("doctor", code=1).stdout


def test_a_key_that_others_can_read(run: Any) -> None:
    run("init")
    key = Path(os.environ["FAROLA_KEY_FILE"])
    key.chmod(0o644)
    check = told(run, code=1)["key"]
    assert not check["ok"]
    assert f"chmod 600 {key}" in check["detail"]


def test_a_key_that_is_gone(run: Any) -> None:
    run("init")
    Path(os.environ["FAROLA_KEY_FILE"]).unlink()
    assert "restore it" in told(run, code=1)["key"]["detail"]


def test_a_key_beside_its_secrets_is_advised_against(
    home: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAROLA_KEY_FILE", str(home / "key"))
    run("init")
    check = told(run)["key"]
    assert not check["ok"]
    assert not check["required"]


def test_a_key_of_another_city_is_found_out(
    home: Path, run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run("init")
    run("device", "credential", "poles", "--username", "root", input="a secret\n")
    assert told(run)["key"]["ok"]
    monkeypatch.setenv("FAROLA_KEY_FILE", str(tmp_path / "other.key"))
    create_key(home)
    assert "another key" in told(run, code=1)["key"]["detail"]
    # One that was stored since does not hide the older one.
    run("device", "credential", "a-new-one", "--username", "root", input="a secret\n")
    check = told(run, code=1)["key"]
    assert check["detail"] == "1 of 2 credentials were encrypted with another key: poles"
    assert "farola device credential" in check["remedy"]


def test_an_inventory_of_another_version(home: Path, run: Any) -> None:
    run("init")
    connection = sqlite3.connect(home / "inventory.db")
    connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.commit()
    connection.close()
    check = told(run, code=1)["inventory"]
    assert "migration 0000" in check["detail"]
    assert check["remedy"] == "farola init"


def test_an_inventory_that_is_gone_is_not_made(home: Path, run: Any) -> None:
    run("init")
    for path in home.glob("inventory.db*"):
        path.unlink()
    assert "does not exist" in told(run, code=1)["inventory"]["detail"]
    assert not (home / "inventory.db").exists()


def test_a_database_address_that_is_none(home: Path, run: Any) -> None:
    run("init")
    with (home / "farola.toml").open("a") as out:
        out.write('\n[inventory]\ndatabase_url = "nonsense"\n')
    checks = told(run, code=1)
    assert not checks["inventory"]["ok"]
    assert checks["store"]["ok"]


def test_a_server_that_is_down(run: Any, unused_port: int) -> None:
    url = f"http://127.0.0.1:{unused_port}"
    run("init", "--influx", url)
    check = told(run, code=1)["store"]
    assert f"{url} cannot be reached" in check["detail"]


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(examinations, "PACKAGES", ("flask", "no_such_library"))
    monkeypatch.setenv("PATH", str(tmp_path))
    check = examinations.packages()
    assert (check.ok, check.detail) == (False, "not installed: no_such_library")


def test_a_small_receive_buffer_is_advised_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    limit = tmp_path / "rmem_max"
    limit.write_text("212992\n")
    monkeypatch.setattr(examinations, "RMEM_MAX", limit)
    check = examinations.receive_buffer()
    assert not check.ok
    assert not check.required
    assert "sysctl -w net.core.rmem_max=" in check.remedy
    assert "some 184 devices are asked at once" in check.detail


def test_what_doctor_counts_with_is_what_the_sweep_does() -> None:
    window = pacing.Window(2 * examinations.WANTED_BUFFER)
    limit = examinations.REPLY_BYTES * 100
    assert pacing.Window(2 * limit).most == 200
    assert pacing.MOST == examinations.MOST_AT_ONCE
    assert window.most >= 0.85 * pacing.MOST


def test_a_port_that_only_root_may_use_is_advised_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(socket.socket):
        def bind(self, _address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(examinations.socket, "socket", Refusing)
    check = examinations.trap_port()
    assert (check.ok, check.required) == (False, False)
    assert "CAP_NET_BIND_SERVICE" in check.remedy


def test_a_trap_port_that_is_taken_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        monkeypatch.setattr(examinations, "TRAP_PORT", other.getsockname()[1])
        check = examinations.trap_port()
    assert check.ok
    assert "taken" in check.detail
    assert "may be listened on" in examinations.trap_port().detail


def test_a_city_too_large_for_the_embedded_store(home: Path, run: Any) -> None:
    run("init")
    checks = {check.name: check for check in doctor.examine(home)}
    assert checks["store size"].ok
    assert "0 devices in SQLite: raw rows grow by 0.00 GB a day" in checks["store size"].detail
    file = home / "farola.toml"
    file.write_text(file.read_text().replace("raw_gb = 20.0", "raw_gb = 1e-9"))
    checks = {check.name: check for check in doctor.examine(home)}
    assert not checks["store size"].ok
    assert "farola init --influx" in checks["store size"].remedy
    assert "raw_gb" in checks["store size"].remedy


def test_a_check_that_fails_itself_hides_no_other(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> examinations.Check:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(examinations, "open_files", broken)
    checks = {check.name: check for check in doctor.examine(home)}
    assert checks["open files"].detail == "could not be looked at: RuntimeError: two"
    assert checks["python"].ok
