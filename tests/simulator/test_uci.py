"""`uci` with its traps. Every expectation here was seen on OpenWrt's own program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator.device import Device
from simulator.uci.model import UciError, export
from simulator.uci.syntax import read

Sh = Callable[..., Any]
START = """config system
	option hostname 'one'
	list server 'a'
	list server 'b c'

config rule 'named'
	option x 'it'\\''s'
"""


@pytest.fixture
def uci(sh: Sh, device: Device) -> Sh:
    device.flash.write("/etc/config/pkg", START.encode())
    return sh


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("uci show pkg", "pkg.@system[0]=system\npkg.@system[0].hostname='one'\n"
         "pkg.@system[0].server='a' 'b c'\npkg.named=rule\npkg.named.x='it'\\''s'\n"),
        ("uci -X show pkg.@system[0].hostname", "pkg.cfg01e48a.hostname='one'\n"),
        ("uci get pkg.@system[0].server", "a 'b c'\n"),
        ("uci -d, get pkg.@system[0].server", "a,'b c'\n"),
        ("uci get pkg.named; uci get pkg.named.x", "rule\nit's\n"),
        ("uci export pkg", "package pkg\n\nconfig system\n\toption hostname 'one'\n"
         "\tlist server 'a'\n\tlist server 'b c'\n\nconfig rule 'named'\n"
         "\toption x 'it'\\''s'\n\n"),
        ("uci -n export pkg | sed -n 3p", "config system 'cfg01e48a'\n"),
        ("uci set pkg.named.y=2; uci changes pkg; uci get pkg.named.y", "pkg.named.y='2'\n2\n"),
        ("uci add pkg rule; uci changes", "cfg0392bd\npkg.cfg0392bd='rule'\n"),
        ("uci add_list pkg.named.x=n; uci del_list pkg.@system[0].server=a; uci changes",
         "pkg.named.x+='n'\npkg.cfg01e48a.server-='a'\n"),
        ("uci delete pkg.named.x; uci rename pkg.named=other; uci reorder pkg.other=0; uci changes",
         "-pkg.named.x\npkg.named='other'\npkg.other='0'\n"),
        ("uci set pkg.named.y=2; uci revert pkg; uci changes; uci get pkg.named.y", ""),
        ("uci get pkg.@rule[-1].x; uci get pkg.@[0]", "it's\nsystem\n"),
        ("uci set pkg.named.y='#;\"'; uci commit pkg; tail -n 2 /etc/config/pkg",
         "\toption y '#;\"'\n\n"),
        ("printf 'set pkg.named.z=\"a b\"\\ncommit pkg\\n' | uci batch; uci get pkg.named.z",
         "a b\n"),
        ("uci -q get pkg.nope; echo $?", "1\n"),
        ("uci add nope t; echo $?", "3\n"),
    ],
)  # fmt: skip
def test_it_prints_what_the_real_one_prints(uci: Sh, script: str, expected: str) -> None:
    assert uci(script).out == expected


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("uci get pkg.nope.x", "uci: Entry not found\n"),
        ("uci show nope", "uci: Entry not found\n"),
        ("uci get pkg.@nope", "uci: Invalid argument\n"),
        ("uci set pkg.nope.x=1", "uci: Invalid argument\n"),
        ("uci get a.b.c.d", "uci: Parse error\n"),
        ("echo \"config t 'x\" | uci -m import pkg",
         "uci: Parse error (EOF with unterminated ') at line 1, byte 12\n"),
        ("printf 'config t\\n\\toption a b c\\n' | uci import pkg",
         "uci: Parse error (too many arguments) at line 2, byte 14\n"),
        ("printf 'option a b\\n' | uci import pkg",
         "uci: Parse error (option/list command found before the first section)"
         " at line 1, byte 0\n"),
        ("printf 'nonsense\\n' | uci import pkg",
         "uci: Parse error (invalid command) at line 1, byte 0\n"),
    ],
)  # fmt: skip
def test_it_refuses_with_the_real_one_s_words(uci: Sh, script: str, message: str) -> None:
    ran = uci(script)
    assert (ran.status, ran.err) == (1, message)


def test_commit_with_a_read_only_staging_folder_says_yes_and_does_nothing(
    uci: Sh, device: Device
) -> None:
    ran = uci("mkdir /tmp/s; uci -t /tmp/s set pkg.named.x=new; uci -P /tmp/s commit pkg; echo $?")
    assert ran.out == "0\n"
    assert device.flash.read("/etc/config/pkg").decode() == START
    assert uci("uci -P /tmp/s get pkg.named.x; uci -t /tmp/s commit pkg; echo $?").out == "new\n0\n"
    assert "option x 'new'" in device.flash.read("/etc/config/pkg").decode()


def test_a_merge_is_staged_where_it_was_told_and_nowhere_else(uci: Sh, device: Device) -> None:
    text = "config rule 'named'\\n\\toption x 'm'\\n"
    ran = uci(f'printf "{text}" | uci -t /tmp/s -m import pkg; ls /tmp/s')
    assert ran.out == "pkg\n"
    assert uci("uci changes pkg; uci -t /tmp/s changes pkg").out == "pkg.named.x='m'\n"
    assert device.flash.read("/etc/config/pkg").decode() == START


def test_an_import_without_merge_replaces_the_file_at_once(uci: Sh, device: Device) -> None:
    uci("printf 'config t\\n' | uci import pkg")
    assert device.flash.read("/etc/config/pkg") == b"\nconfig t\n\n"
    # Nothing to merge with: even -m writes at once then.
    uci("printf 'config t\\n' | uci -t /tmp/s -m import fresh")
    assert device.flash.read("/etc/config/fresh") == b"\nconfig t\n\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config t\n\toption a ''\n\toption b x#y\n", "\nconfig t\n\toption b 'x'\n\n"),
        ("config t\n\toption a 'multi\nline'\n", "\nconfig t\n\toption a 'multi\nline'\n\n"),
        ('config t "n"\no a "d\\"q" # comment\n', "\nconfig t 'n'\n\toption a 'd\"q'\n\n"),
        (
            "config t 'n'; option a 'b'; list c d\n",
            "\nconfig t 'n'\n\toption a 'b'\n\tlist c 'd'\n\n",
        ),
        ("config t; option a 'b'\n", "\nconfig t\n\n"),
        ("config t\n\toption a b; option c d\n", "\nconfig t\n\toption a 'b'\n\n"),
        ("config t\n\toption a back\\\nslash\n", "\nconfig t\n\toption a 'backslash'\n\n"),
        ("config t 'n'\nconfig t 'n'\n\toption a 1\n", "\nconfig t 'n'\n\toption a '1'\n\n"),
        ("config t\n\toption a 1\n\tlist a 2\n", "\nconfig t\n\tlist a '1'\n\tlist a '2'\n\n"),
    ],
)
def test_files_are_read_with_the_real_parser_s_habits(text: str, expected: str) -> None:
    try:
        found = export(read(text, "pkg")[0], header=False)
    except UciError as error:
        found = str(error)
    assert found == expected
