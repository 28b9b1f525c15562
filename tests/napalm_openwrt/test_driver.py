"""The driver against pretend access points: what it changes is what stands in /etc/config."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import napalm
import pytest
from napalm.base.exceptions import (
    CommitError,
    ConnectAuthError,
    LockError,
    MergeConfigException,
    ReplaceConfigException,
)

from napalm_openwrt import OpenWrtDriver
from napalm_openwrt.agent import LOCK
from napalm_openwrt.uci_text import parse

Connect = Callable[..., OpenWrtDriver]
HOSTNAME = "package system\n\nconfig system\n\toption hostname '{}'\n"


def test_napalm_finds_the_driver_and_not_its_base_class() -> None:
    assert napalm.get_network_driver("openwrt") is OpenWrtDriver
    code = "import napalm; print(napalm.get_network_driver('openwrt').__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(inspect.getfile(OpenWrtDriver)).parent.parent,
    )  # fmt: skip
    assert done.stdout == "OpenWrtDriver\n"


def test_it_imports_no_other_room() -> None:
    code = (
        "import sys, napalm_openwrt; rooms = {'farola', 'inventory', 'provisioning', 'simulator',"
        " 'collectors', 'timeseries', 'web', 'operations', 'playbooks', 'coverage_maps'};"
        " print(sorted(rooms & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(inspect.getfile(OpenWrtDriver)).parent.parent,
    )  # fmt: skip
    assert done.stdout == "[]\n"


def test_facts_are_the_devices_own(connect: Connect) -> None:
    facts = connect("good").get_facts()
    assert facts["vendor"] == "OpenWrt"
    assert facts["serial_number"] == "S-good"
    assert facts["os_version"].startswith("23.05")
    assert facts["uptime"] > 0
    assert {"lo", "wlan0", "wlan1"} <= set(facts["interface_list"])


def test_interfaces_carry_their_macs(connect: Connect) -> None:
    interfaces = connect("good").get_interfaces()
    assert interfaces["wlan0"]["mac_address"] == "02:00:00:00:01:01"
    assert interfaces["wlan0"]["is_up"] is True


def test_the_running_config_is_what_uci_exports(connect: Connect) -> None:
    driver = connect("good")
    assert driver.get_config()["running"] == driver.cli(["uci export"])["uci export"]


def test_a_sanitized_config_shows_no_secret(connect: Connect) -> None:
    running = connect("good").get_config(retrieve="running", sanitized=True)["running"]
    assert parse(running)["snmpd"].of_type("com2sec")[0].get("community") == "•••"


def test_compare_shows_a_clean_unified_diff(connect: Connect) -> None:
    driver = connect("good")
    driver.load_merge_candidate(config=HOSTNAME.format("plaza"))
    assert driver.compare_config() == (
        "--- running/system\n"
        "+++ candidate/system\n"
        "@@ -1,7 +1,7 @@\n"
        " package system\n"
        " \n"
        " config system\n"
        "-\toption hostname 'good'\n"
        "+\toption hostname 'plaza'\n"
        " \toption timezone 'UTC'\n"
        " \toption ttylogin '0'\n"
        " \toption log_size '64'"
    )
    driver.discard_config()
    assert driver.compare_config() == ""


def test_loading_and_discarding_leave_no_trace(connect: Connect, good: Any) -> None:
    before = good.files()
    driver = connect("good")
    driver.load_merge_candidate(config=HOSTNAME.format("plaza"))
    driver.compare_config()
    driver.discard_config()
    assert good.files() == before
    assert "napalm" not in driver.cli(["ls -a /tmp"]).popitem()[1]


@pytest.mark.parametrize(
    "ssid", ["L'été", "😀 gratis", 'a"b\\c', "$(reboot)", "; rm -rf /", "#1", " edge ", "'", "%s%n"]
)
def test_any_ssid_arrives_unchanged_and_goes_again(ssid: str, connect: Connect, good: Any) -> None:
    before = {n: t for n, t in good.files().items() if n.startswith("config/")}
    quoted = ssid.replace("'", "'\\''")
    driver = connect("good")
    driver.load_merge_candidate(
        config=f"package wireless\n\nconfig wifi-iface 'default_radio0'\n\toption ssid '{quoted}'\n"
    )
    driver.commit_config()
    try:
        assert f"\toption ssid '{quoted}'\n" in good.config("wireless")
        read = parse(good.config("wireless"), "wireless")["wireless"]
        assert [s.get("ssid") for s in read.sections if s.name == "default_radio0"] == [ssid]
        assert driver.compare_config() == ""
    finally:
        driver.rollback()
    assert {n: t for n, t in good.files().items() if n.startswith("config/")} == before


def test_a_replace_makes_a_package_the_candidate_and_leaves_others(
    connect: Connect, good: Any
) -> None:
    before = good.files()
    driver = connect("good")
    driver.load_replace_candidate(config="package dhcp\n\nconfig dhcp 'lan'\n\toption ignore '0'\n")
    driver.commit_config()
    try:
        assert good.config("dhcp") == "\nconfig dhcp 'lan'\n\toption ignore '0'\n\n"
        assert good.files()["config/network"] == before["config/network"]
    finally:
        driver.rollback()
    assert good.files()["config/dhcp"] == before["config/dhcp"]


def test_a_package_that_was_not_there_comes_and_goes(connect: Connect, good: Any) -> None:
    driver = connect("good")
    driver.load_merge_candidate(config="package portal\n\nconfig gateway 'g'\n\toption port '80'\n")
    driver.commit_config()
    assert good.config("portal") == "\nconfig gateway 'g'\n\toption port '80'\n\n"
    driver.rollback()
    assert "config/portal" not in good.files()


def test_rollbacks_go_back_one_commit_each_also_in_a_new_session(
    connect: Connect, good: Any
) -> None:
    before = good.config("system")
    for name in ("one", "two"):
        driver = connect("good")
        driver.load_merge_candidate(config=HOSTNAME.format(name))
        driver.commit_config()
    connect("good").rollback()
    assert "hostname 'one'" in good.config("system")
    connect("good").rollback()
    assert good.config("system") == before
    with pytest.raises(CommitError, match="no commit to roll back"):
        connect("good").rollback()


def test_the_touched_services_are_reloaded_and_no_others(connect: Connect) -> None:
    driver = connect("good")
    seen = driver.cli(["logread"])["logread"]
    driver.load_merge_candidate(config=HOSTNAME.format("reloaded"))
    driver.commit_config()
    said = driver.cli(["logread"])["logread"][len(seen) :]
    driver.rollback()
    assert "system: reload" in said
    assert "snmpd: reload" not in said
    assert "network: reload" not in said


@pytest.mark.parametrize(
    ("load", "fault"),
    [("load_merge_candidate", MergeConfigException),
     ("load_replace_candidate", ReplaceConfigException)],
)  # fmt: skip
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("package system\nconfig system\n\toption hostname 'it's'\n", "line 3"),
        ("package system\nconfig system\n\toption hostname 'a\n", "line 3"),
        ("hostname x\n", "line 1"),
        ("", "no package"),
        ("package system\nconfig system 'a' 'b'\n", "line 2"),
        ("package system\nconfig system\n\toption 'host name' x\n", "line 3"),
    ],
)
def test_a_faulty_candidate_is_refused_with_its_line_and_changes_nothing(
    load: str, fault: type[Exception], text: str, said: str, connect: Connect, good: Any
) -> None:
    before = good.files()
    driver = connect("good")
    with pytest.raises(fault, match=said) as caught:
        getattr(driver, load)(config=text)
    assert "\n" not in str(caught.value)
    driver.commit_config()
    assert good.files() == before


def test_a_candidate_comes_from_a_file_too(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "candidate.uci"
    path.write_text(HOSTNAME.format("from-file"), encoding="utf-8")
    driver = connect("good")
    driver.load_merge_candidate(filename=str(path))
    assert "+\toption hostname 'from-file'" in driver.compare_config()
    with pytest.raises(MergeConfigException, match="nowhere"):
        driver.load_merge_candidate(filename=str(tmp_path / "nowhere"))


def test_a_full_flash_is_told_and_the_old_config_stays(connect: Connect, full: Any) -> None:
    before = full.files()
    driver = connect("full")
    driver.load_merge_candidate(config=HOSTNAME.format("new"))
    with pytest.raises(CommitError, match=r"no room left.*old config is untouched"):
        driver.commit_config()
    assert full.files() == before
    driver.discard_config()
    driver.load_merge_candidate(config=HOSTNAME.format("new"))
    assert driver.compare_config() != ""


def test_a_wrong_password_is_refused_and_not_repeated(connect: Connect) -> None:
    with pytest.raises(ConnectAuthError) as caught:
        connect("good", password="not-the-password")
    assert "not-the-password" not in str(caught.value)
    assert "'root'" in str(caught.value)


def test_a_held_lock_keeps_a_second_session_out(connect: Connect, good: Any) -> None:
    first, second = connect("good"), connect("good")
    holder = (
        f": napalm-openwrt; mkdir -p {LOCK}; ln -s $$/maria {LOCK}/90000; "
        f"while test -h {LOCK}/90000; do sleep 1; done"
    )
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(first.cli, [holder])
        while "90000" not in second.cli([f"ls {LOCK} 2>/dev/null; true"]).popitem()[1]:
            pass
        second.load_merge_candidate(config=HOSTNAME.format("second"))
        before = good.files()
        with pytest.raises(LockError, match="locked by maria"):
            second.commit_config()
        assert good.files() == before
        second.cli([f"rm {LOCK}/90000"])
        held.result(30)
    second.commit_config()
    assert "hostname 'second'" in good.config("system")
    second.rollback()


def test_a_lock_whose_owner_is_gone_is_taken_over(connect: Connect, good: Any) -> None:
    driver = connect("good")
    driver.cli([f"mkdir -p {LOCK} && rm -f {LOCK}/* && ln -s 99999999/ghost {LOCK}/3"])
    driver.load_merge_candidate(config=HOSTNAME.format("alive"))
    driver.commit_config()
    assert "hostname 'alive'" in good.config("system")
    driver.rollback()
    assert "ghost" not in driver.cli([f"ls -l {LOCK}"]).popitem()[1]


def test_of_many_that_commit_at_once_each_is_whole_or_refused(connect: Connect, good: Any) -> None:
    before = {n: t for n, t in good.files().items() if n.startswith("config/")}
    drivers = [connect("good") for _ in range(6)]
    for number, driver in enumerate(drivers):
        driver.load_merge_candidate(
            config=HOSTNAME.format(f"h{number}")
            + f"\npackage network\n\nconfig globals 'globals'\n\toption mark 'h{number}'\n"
        )

    def commit(driver: OpenWrtDriver) -> str:
        try:
            driver.commit_config()
        except (LockError, CommitError) as error:
            return (
                type(error).__name__
                if "nothing was" in str(error) or "untouched" in str(error)
                else str(error)
            )
        return "committed"

    with ThreadPoolExecutor(6) as pool:
        outcomes = sorted(pool.map(commit, drivers))
    # All were computed on the same base, so one wins and nobody else changed a thing.
    assert outcomes.count("committed") == 1
    assert set(outcomes) <= {"committed", "LockError", "CommitError"}
    system, network = good.config("system"), good.config("network")
    winner = parse(system, "system")["system"].of_type("system")[0].get("hostname")
    assert f"option mark '{winner}'" in network
    connect("good").rollback()
    assert {n: t for n, t in good.files().items() if n.startswith("config/")} == before


def test_what_changed_meanwhile_is_not_overwritten(connect: Connect, good: Any) -> None:
    first, second = connect("good"), connect("good")
    first.load_merge_candidate(config=HOSTNAME.format("first"))
    second.load_merge_candidate(config=HOSTNAME.format("second"))
    first.commit_config()
    with pytest.raises(CommitError, match="changed since"):
        second.commit_config()
    assert "hostname 'first'" in good.config("system")
    first.rollback()


def test_staged_changes_of_others_are_neither_shown_nor_committed(
    connect: Connect, good: Any
) -> None:
    driver = connect("good")
    driver.cli(["uci set system.@system[0].timezone=STAGED"])
    assert "STAGED" not in driver.get_config()["running"]
    driver.load_merge_candidate(config=HOSTNAME.format("clean"))
    assert "STAGED" not in driver.compare_config()
    driver.commit_config()
    assert "STAGED" not in good.config("system")
    driver.rollback()
    driver.cli(["uci revert system"])


def test_nothing_of_a_candidate_shows_in_the_process_list(connect: Connect) -> None:
    driver = connect("good")
    scripts: list[str] = []
    run = driver.session.run
    driver.session.run = lambda command, *rest: scripts.append(command) or run(command, *rest)  # type: ignore[func-returns-value,method-assign]
    driver.load_merge_candidate(
        config="package snmpd\n\nconfig com2sec 'public'\n\toption community 'hush-hush'\n"
    )
    driver.commit_config()
    driver.rollback()
    assert scripts
    assert not [script for script in scripts if "hush" in script]


def test_masked_diffs_show_that_a_secret_changes_and_not_which(connect: Connect) -> None:
    driver = connect("good", mask_secrets=True)
    driver.load_merge_candidate(
        config="package snmpd\n\nconfig com2sec 'public'\n\toption community 'hush-hush'\n"
    )
    shown = driver.compare_config()
    assert "+\toption community '•••'" in shown
    assert "hush" not in shown
