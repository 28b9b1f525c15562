"""A merge changes what the candidate names and nothing else; a diff shows it, secrets masked."""

from __future__ import annotations

from pathlib import Path

import pytest

from napalm_openwrt.uci_merge import MASK, MergeConflict, diff, mask_config, merge
from napalm_openwrt.uci_text import format_config, parse

CASES = Path(__file__).parent / "merge_cases"


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_merge_gives_the_diff_written_by_hand(case: str) -> None:
    running = parse((CASES / case / "running.uci").read_text(encoding="utf-8"))
    candidate = parse((CASES / case / "candidate.uci").read_text(encoding="utf-8"), keep_empty=True)
    touched = {name: running[name] for name in candidate if name in running}
    expected = (CASES / case / "expected.diff").read_text(encoding="utf-8").rstrip("\n")
    assert diff(touched, merge(running, candidate)) == expected


def test_a_merge_applied_twice_changes_nothing_more() -> None:
    running = parse((CASES / "options" / "running.uci").read_text(encoding="utf-8"))
    candidate = parse((CASES / "options" / "candidate.uci").read_text(encoding="utf-8"))
    once = merge(running, candidate)
    assert diff(once, merge(once, candidate)) == ""


def test_a_named_section_of_another_type_is_a_conflict() -> None:
    running = parse("package network\nconfig interface 'lan'\n")
    with pytest.raises(MergeConflict, match=r"network\.lan is a interface .* and a device"):
        merge(running, parse("package network\nconfig device 'lan'\n"))


@pytest.mark.parametrize(
    "option", ["key", "key1", "password", "sae_password", "auth_secret", "community",
               "trapcommunity", "private_key", "preshared_key", "psk", "token", "PIN", "r0kh",
               "r1kh", "api_key", "apikey", "auth_key", "authkey", "radius_key", "wep_key1",
               "psk2", "dpp_net_access_key", "bearer", "createUser", "eap_pw", "wifi_key",
               "priv_pass", "passwd2", "PrivateKey", "PresharedKey", "sim_puk", "accesstoken",
               "PasswordAuthKey", "my_passwordauth"]
)  # fmt: skip
def test_a_changed_secret_shows_as_a_changed_line_without_its_value(option: str) -> None:
    before = parse(f"package p\nconfig s 'a'\n\toption {option} 'old-value'\n")
    after = parse(f"package p\nconfig s 'a'\n\toption {option} 'new-value'\n")
    shown = diff(before, after, mask_secrets=True)
    assert f"-\toption {option} '{MASK}'" in shown
    assert f"+\toption {option} '{MASK}'" in shown
    assert "value" not in shown
    assert "new-value" in diff(before, after)


@pytest.mark.parametrize(
    "option", ["ssid", "encryption", "public_key", "network", "isolate", "keyboard",
               "key_mgmt", "hotkey", "ssh_pub_key", "wpa_group_rekey", "keepalive", "bypass",
               "passthrough", "pinned", "r0_key_lifetime", "PasswordAuth", "RootPasswordAuth"]
)  # fmt: skip
def test_what_is_no_secret_is_shown(option: str) -> None:
    config = parse(f"package p\nconfig s\n\toption {option} 'open'\n")
    assert "open" in format_config(mask_config(config))


def test_a_secret_of_several_lines_is_masked_whole() -> None:
    before = parse("package p\nconfig s\n\toption a '1'\n")
    after = parse("package p\nconfig s\n\toption a '1'\n\toption private_key 'BEGIN\nabc\nEND'\n")
    shown = diff(before, after, mask_secrets=True)
    assert "abc" not in shown
    assert f"+\toption private_key '{MASK}'" in shown


def test_secret_lists_are_masked_item_by_item() -> None:
    config = parse("package p\nconfig s\n\tlist community 'a'\n\tlist community 'b'\n")
    assert format_config(mask_config(config)).count(f"'{MASK}'") == 2
