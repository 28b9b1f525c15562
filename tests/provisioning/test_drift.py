"""Drift by cause: each option that differs is blamed on who or what made it differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from farola.errors import ProvisioningError
from napalm_openwrt.uci_text import parse
from provisioning.audit import rules
from provisioning.audit.drift import Before, Pushed, compare, flat


def uci(ssid="city", channel="6", *more, dns="1.1.1.1"):
    lines = "".join(f"\t{line}\n" for line in more)
    return parse(
        f"package wireless\nconfig wifi-iface 'w'\n\toption ssid '{ssid}'\n"
        f"\toption channel '{channel}'\n{lines}"
        f"package dhcp\nconfig dnsmasq\n\tlist server '{dns}'\n",
        keep_empty=True,
    )


SSID, CHANNEL = "wireless.w.ssid", "wireless.w.channel"
OLD_FW, NEW_FW = "OpenWrt 23.05", "OpenWrt 24.10"


def causes(running, intended, pushed, before=None, firmware=""):
    return dict(compare(running, intended, pushed, before or Before(), firmware).keys)


def test_a_device_that_runs_what_is_meant_has_no_drift():
    found = compare(uci(), uci(), Pushed(uci()), Before())
    assert (found.diff, found.cause, found.counts()) == ("", "", {})


def test_what_departed_from_our_push_was_changed_by_hand():
    assert causes(uci("mine"), uci(), Pushed(uci())) == {SSID: "by-hand"}


def test_what_we_have_not_pushed_yet_is_intent():
    assert causes(uci(), uci("new"), Pushed(uci())) == {SSID: "intent"}
    assert causes(uci("factory"), uci(), Pushed()) == {SSID: "intent"}


def test_what_a_failed_push_should_have_set_is_blamed_on_it():
    pushed = Pushed(uci(), change=1, failed=uci("new"), failed_change=2)
    assert causes(uci(), uci("new"), pushed) == {SSID: "failed-push"}
    assert causes(uci(), uci("newer"), pushed) == {SSID: "intent"}, "meant since"
    assert causes(uci("city"), uci(), Pushed(failed=uci())) == {}


def test_what_a_new_firmware_brought_is_told_from_what_was_changed_before_it():
    running, pushed = uci("OpenWrt", "11"), Pushed(uci())
    before = Before(OLD_FW, {CHANNEL: "by-hand"})
    assert causes(running, uci(), pushed, before, NEW_FW) == {SSID: "firmware", CHANNEL: "by-hand"}
    later = Before(NEW_FW, {SSID: "firmware", CHANNEL: "by-hand"})
    found = compare(running, uci(), pushed, later, NEW_FW)
    assert found.keys == {SSID: "firmware", CHANNEL: "by-hand"}, "the cause outlives the upgrade"
    assert found.cause == "by-hand"
    assert found.counts() == {"by-hand": 1, "firmware": 1}


def test_a_restore_of_ours_is_not_by_hand():
    pushed = Pushed(uci("older"), replaces=True)
    assert causes(uci("older"), uci(), pushed) == {SSID: "intent"}


def test_an_option_that_should_be_gone_counts_and_secrets_do_not_show():
    running = uci("city", "6", "option key 'do-not-tell'")
    intended = uci("city", "6", "option key ''")
    found = compare(running, intended, Pushed(uci("city", "6")), Before())
    assert found.keys == {"wireless.w.key": "intent"}
    assert "do-not-tell" not in repr(found)


def test_sections_without_a_name_have_a_place():
    assert flat(uci(dns="9.9.9.9"))["dhcp.@dnsmasq[0].server"] == ("9.9.9.9",)


@pytest.mark.parametrize(
    "text", ["{", "a", "get_facts: x", "- x", "- {}", "- get_facts: {}\n  x: 1",
             "all:\n  - reboot: {}", "\x00"]
)  # fmt: skip
def test_rules_that_are_none_are_one_line(tmp_path: Path, text: str):
    (tmp_path / rules.FILE).write_text(text)
    with pytest.raises(ProvisioningError, match=r"validate\.yaml") as refused:
        rules.read_rules(tmp_path)
    assert "\n" not in str(refused.value)


class Driver:
    """Getters with fixed answers, as NAPALM's models have them."""

    def get_facts(self):
        return {"os_version": "24.10.1", "model": "X", "interface_list": ["eth0", "wlan0"]}

    def get_snmp_information(self):
        return {"community": {"s3cret-community": {}}, "contact": "x"}

    def get_bgp_neighbors(self):
        raise NotImplementedError


def test_rules_are_told_by_name_without_values(tmp_path: Path):
    (tmp_path / rules.FILE).write_text(
        "all:\n  - get_facts: {os_version: 23.05, interface_list: {list: [eth0, eth9]}}\n"
        "access-point:\n  - get_snmp_information: {community: {other-s3cret: {}}}\n"
        "  - get_bgp_neighbors: {x: 1}\n  - get_facts: {model: X}\n"
        "switch:\n  - get_facts: {model: Y}\n"
    )
    found = rules.check(Driver(), rules.read_rules(tmp_path).of("access-point", "openwrt"))
    assert found == [
        "get_facts: os_version, interface_list.eth9 is missing",
        "get_snmp_information",
        "get_bgp_neighbors: its driver cannot tell",
    ]
    assert rules.check(Driver(), rules.read_rules(tmp_path / "none").of("switch", "eos")) == []
