"""UCI text is read as OpenWrt's parser reads it, and written as `uci export` prints it."""

from __future__ import annotations

import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napalm_openwrt.uci_text import Package, Section, UciSyntaxError, format_config, parse, quote

NAMES = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=12)
TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\t\n\r"), max_size=40
)
OPTION = st.one_of(TEXTS.filter(bool), st.lists(TEXTS, min_size=1, max_size=3).map(tuple))


@st.composite
def sections(draw: st.DrawFn) -> tuple[Section, ...]:
    names = draw(st.lists(st.one_of(st.none(), NAMES), max_size=4))
    seen: set[str] = set()
    found = []
    for name in names:
        if name in seen:
            continue
        if name is not None:
            seen.add(name)
        options = draw(st.dictionaries(NAMES, OPTION, max_size=4))
        found.append(Section(draw(NAMES), name, tuple(options.items())))
    return tuple(found)


CONFIGS = st.dictionaries(
    st.text(string.ascii_lowercase + "-_", min_size=1, max_size=8), sections(), max_size=3
).map(lambda found: {name: Package(name, rows) for name, rows in found.items()})


@given(CONFIGS)
def test_what_is_written_is_read_back_unchanged(config: dict[str, Package]) -> None:
    assert parse(format_config(config)) == config


@given(TEXTS.filter(bool))
def test_any_text_survives_quoting(text: str) -> None:
    assert (
        parse(f"package p\nconfig s\n\toption o {quote(text)}\n")["p"].sections[0].get("o") == text
    )


def test_an_apostrophe_is_written_the_way_uci_does() -> None:
    package = Package("wireless", (Section("wifi-iface", "a", (("ssid", "L'été"),)),))
    assert format_config({"wireless": package}) == (
        "package wireless\n\nconfig wifi-iface 'a'\n\toption ssid 'L'\\''été'\n\n"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("option o bare", "bare"),
        ("option o 'a b'", "a b"),
        ('option o "a b"', "a b"),
        (r'option o "a\"b"', 'a"b'),
        (r"option o 'it'\''s'", "it's"),
        (r"option o a\ b", "a b"),
        ("option o abc#comment", "abc"),
        ("option o 'abc' # comment", "abc"),
        ("option o 'a#b;c'", "a#b;c"),
        ("option o 'two\nlines'", "two\nlines"),
        ("option o kept\noption o ''", "kept"),
        ("o o short", "short"),
        ("option o first\noption o last", "last"),
        ("option o ''", None),
        ("option o", None),
        ("list o a\nlist o b", ("a", "b")),
        ("option o a\nlist o b", ("a", "b")),
        ("option 'o' 😀", "😀"),
    ],
)  # fmt: skip
def test_quoting_is_read_as_uci_reads_it(text: str, value: object) -> None:
    # Each of these was tried on OpenWrt's own uci.
    assert parse(f"package p\nconfig s\n{text}\n")["p"].sections[0].get("o") == value


@pytest.mark.parametrize(
    "text",
    ["package p\nconfig s\noption o x\n", "package other\nconfig s\noption o x\n",
     "config s\npackage p\noption o x\n"],
)  # fmt: skip
def test_a_file_that_names_a_package_is_the_package_that_it_is_called(text: str) -> None:
    # Each of these was tried on OpenWrt's own uci, as is that a name has to be one.
    assert parse(text, "p") == parse("package p\nconfig s\noption o x\n")
    with pytest.raises(UciSyntaxError, match="cannot name a package"):
        parse("package 'a b'\n", "p")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("package p\nconfig s\n\toption o 'abc\n", 3, "never closed"),
        ('package p\nconfig s\n\toption o "abc\n', 3, "never closed"),
        ("package p\nconfig s a b\n", 2, "too many"),
        ("package p\nconfig s\n\toption o 'it's'\n", 3, "never closed"),
        ("package p\nconfig s\n\toption o a b\n", 3, "too many"),
        ("package p\nconfig\n", 2, "lacks a name"),
        ("config s\n", 1, "before the first `package`"),
        ("package p\noption o x\n", 2, "before the first section"),
        ("package p\nfoo bar\n", 2, "no uci command"),
        ("package ../x\n", 1, "cannot name a package"),
        ("package p\npackage p\n", 2, "twice"),
        ("package p\nconfig s 'a-b'\n", 2, "cannot name a section"),
        ("package p\nconfig s\noption a-b x\n", 3, "cannot name an option"),
        ("package p\nconfig s x\nconfig t x\n", 3, "already"),
        ("package p\nconfig s\noption o a;b\n", 3, "outside quotes"),
        ("package p\nconfig s\noption o 'a\x07b'\n", 3, "control character"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(UciSyntaxError, match=reason) as caught:
        parse(text)
    assert caught.value.line == line


@given(st.text())
def test_no_text_makes_it_fail_in_another_way(text: str) -> None:
    with suppress(UciSyntaxError):
        parse(text)
