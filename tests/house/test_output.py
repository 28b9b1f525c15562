"""What other people's files and devices are called cannot command the terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farola.output import note, plain, print_json, print_table

HOSTILE = [
    "\x1b[31mred", "\x1b]0;title\x07", "\x9b2J", "a\rb", "a\nb", "\u202egnp.exe", "\u2066x\u2069",
    "zero\u200bwidth", "\ud800", "\x7f", "\u2028", "\U000e0001",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_does_not_print_is_written_visibly(text):
    shown = plain(text)
    assert shown.isprintable()
    assert shown != text
    assert "\\" in shown


@pytest.mark.parametrize("text", ["Ñandú", "東京", "a [b] c", "Кафе №5", "→ × …", "✓", ""])
def test_what_prints_is_left_alone(text):
    assert plain(text) == text


@given(st.text(st.characters()))
def test_any_text_comes_out_printable_and_as_utf_8(text):
    assert plain(text).isprintable()
    plain(text).encode()


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_tables_and_notes_hold_no_escape(capsys, text):
    print_table(text, (text, "n"), [(text, 1), ("[red]plain[/red]", 2)], right=(1,))
    note(text)
    done = capsys.readouterr()
    assert plain(text) in done.out
    assert "[red]plain[/red]" in done.out
    assert done.err == plain(text) + "\n"
    for line in (done.out + done.err).split("\n"):
        assert line.isprintable()


def test_an_error_holds_no_escape(run_process, home):
    name = "\x1b]0;gone\x07"
    done = run_process("import", "sites", f"/{name}.csv", code=1)
    assert "\x1b" not in done.stderr
    assert "\x1b" not in run_process("init", "--name", name, code=1).stderr
    run_process("init")
    done = run_process("import", "sites", f"/{name}.csv", code=1)
    assert "\x1b" not in done.stderr
    assert "\\u001b]0;gone" in done.stderr


def test_json_is_json_even_of_half_characters(capsys):
    print_json({"name": "Ñ\udcff"})
    text = capsys.readouterr().out
    assert "Ñ" in text
    assert json.loads(text) == {"name": "Ñ\udcff"}


@pytest.mark.parametrize("text", ["x" * 300, "😀" * 100, "é" * 130], ids=["x", "emoji", "accents"])
def test_no_cell_of_a_table_is_cut_short(capsys, text):
    print_table("Names", ("name", "n"), [(text, 1)])
    shown = capsys.readouterr().out
    assert shown.count(text[0]) == len(text)
