"""Colours keep their contrast in both themes: 4.5:1 for text, 3:1 for marks (WCAG 2.2)."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

CSS = (ROOT / "web/frontend/src/tokens.css").read_text(encoding="utf-8")
TEXT = ("ink", "dim", "link", "good", "warn", "bad", "info")
MARKS = ("edge", "good-mark", "bad-mark", "unknown-mark", "line-a", "line-b", "line-c")
LEGEND = {"b3": "b3-ink", "c3": "c3-ink", "c1": "mid", "c2": "mid"}


def themes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r':root(\[data-theme="\w+"\])? \{(.*?)\}', CSS, re.DOTALL)
    found = {
        name or "light": dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", body))
        for name, body in blocks
    }
    return {
        "light": found["light"],
        "dark": found['[data-theme="dark"]'],
        "auto": found['[data-theme="auto"]'],
    }


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_measured_as_wcag_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_marks_can_be_told_from_their_ground(theme: str) -> None:
    token = themes()[theme]
    weak = [
        (name, ground, round(contrast(token[name], token[ground]), 2))
        for ground in ("ground", "surface", "sunken")
        for names, least in ((TEXT, 4.5), (MARKS, 3.0))
        for name in names
        if contrast(token[name], token[ground])
        < (least if ground != "sunken" or names is TEXT else 0)
    ]
    assert weak == []
    assert contrast(token["on-accent"], token["accent"]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_legends_figures_can_be_read_on_their_colours(theme: str) -> None:
    token = themes()[theme]
    weak = {
        cell: round(ratio, 2)
        for cell in (gap + need for gap in "abc" for need in "123")
        if (ratio := contrast(token[f"biv-{cell}"], token[f"biv-{LEGEND.get(cell, 'low')}"])) < 4.5
    }
    assert weak == {}


def test_the_automatic_dark_theme_is_the_dark_theme() -> None:
    assert themes()["auto"] == themes()["dark"]
    assert set(themes()["light"]) == set(themes()["dark"])
