"""The command line: quick, lazy, documented, and one line for a user's mistake."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from farola.cli import GROUPS, ROOT, farola
from farola.options import said_plainly

REPO = Path(__file__).resolve().parents[2]
COMMANDS = {name: target for name, (target, _) in ROOT.items()} | {
    f"{group} {name}": target
    for group, (_, commands) in GROUPS.items()
    for name, (target, _) in commands.items()
}


@pytest.mark.parametrize("words", sorted(COMMANDS), ids=str)
def test_each_command_exists_and_has_help(words):
    module, _, attribute = COMMANDS[words].partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.help, f"`farola {words}` has no help"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"`farola {words} {parameter.opts[0]}` has no help"


@pytest.mark.parametrize("words", sorted(COMMANDS), ids=str)
def test_each_command_is_documented(words):
    pages = [REPO / "README.md", *(REPO / "docs").glob("*.md")]
    assert any(f"farola {words}" in page.read_text(encoding="utf-8") for page in pages)


def test_help_imports_no_room_and_no_heavy_library():
    script = (
        "import sys\nfrom farola.cli import farola\n"
        "farola.main(['--help'], standalone_mode=False)\n"
        "heavy = {'sqlalchemy','flask','napalm','scapy','shapely','numpy','pysnmp','inventory'}\n"
        "loaded = heavy & set(sys.modules)\nassert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", script], cwd=REPO, check=True, capture_output=True)


def test_every_group_is_listed_in_the_help():
    listed = farola.get_help(click.Context(farola))
    for name in (*ROOT, *GROUPS):
        assert f"  {name} " in listed


def test_no_city_yet_is_one_line_with_what_to_do(run_process):
    done = run_process("coverage", code=1)
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "farola init" in done.stderr


def test_unknown_command_names_the_help(run_process):
    done = run_process("coverge", code=2)
    assert "No such command 'coverge'" in done.stderr


@pytest.mark.parametrize("text", ['[city]\nname = "x\n', 'inventory = "x"\n', "[cty]\n"])
@pytest.mark.parametrize("words", ["coverage", "status", "web", "up", "init"])
def test_a_broken_settings_file_is_named_in_one_line(run, home, words, text):
    home.mkdir()
    (home / "farola.toml").write_text(text)
    done = run(words, code=1)
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert str(home / "farola.toml") in done.stderr


def test_doctor_tells_of_a_broken_settings_file_among_its_checks(run, home):
    home.mkdir()
    (home / "farola.toml").write_text('inventory = "x"\n')
    checks = {c["name"]: c for c in json.loads(run("doctor", "--json", code=1).stdout)["checks"]}
    assert not checks["home"]["ok"]
    assert str(home / "farola.toml") in checks["home"]["detail"]
    assert run("doctor", code=1).stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        "collect run --name",
        "collect run --traps",
        "collect run --metrics",
        "collect availability --device",
        "collect discover 10.0.0.1 --community",
        "collect discover 10.0.0.1 --credential",
        "snmp probe 10.0.0.1 --community",
        "snmp walk 10.0.0.1 sysDescr --mibs",
        "device accept x --site",
        "maintenance add --device",
    ],
)
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_option_given_empty_is_not_taken_as_left_out(words, empty, home):
    with pytest.raises(click.UsageError) as error:
        farola.main([*words.split(), empty], standalone_mode=False)
    option = words.split()[-1]
    assert error.value.format_message().startswith(f"Invalid value for '{option}': it is empty")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("collect run --count abc", "'--count': 'abc' is not a whole number of 1 or more"),
        ("collect run --count 0", "'--count': 0 is not a whole number of 1 or more"),
        ("provision push abc", "'abc' is not a whole number from 1 to 9,223,372,036,854,775,807"),
        ("collect run --interval x", "'--interval': 'x' is not a number from 1 to 86,400"),
        ("collect run --interval nan", "'--interval': nan is not a number from 1 to 86,400"),
        ("collect availability --days 1.5", "'--days': '1.5' is not a whole number from 1 to 366"),
        ("collect run --jitter", "No such option"),
    ],
)
def test_a_number_that_does_not_fit_is_told_without_jargon(words, said):
    with pytest.raises(click.UsageError) as error:
        farola.main(words.split(), standalone_mode=False)
    assert said in said_plainly(error.value)


@pytest.mark.parametrize("words", ["--help", "store export device --from 2024-01-01", "status"])
@pytest.mark.parametrize("where", ["> /dev/full", ">&-"])
def test_output_that_nobody_takes_is_one_line(run, home, words, where):
    run("init")
    script = "from farola.cli import main; main()"
    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "{script}" {words} {where}', sys.executable],
        cwd=REPO, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("farola: the output ")


def test_a_reader_that_goes_away_is_no_fault(home):
    script = "from farola.cli import main; main()"
    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "{script}" --help | true', sys.executable],
        cwd=REPO, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
