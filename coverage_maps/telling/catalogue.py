"""Collects the messages of plans and brings their catalogues up to date:

    python -m coverage_maps.telling.catalogue

writes new messages, untranslated, into translations/*/LC_MESSAGES/messages.po and drops those that
are gone. What is translated stays.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from coverage_maps.cover.groups import FIFTHS
from coverage_maps.demand import index as demand
from coverage_maps.demand import unmet as unmet_demand
from coverage_maps.plan.effect import UNGROUPED
from coverage_maps.plan.timetables import DAYS
from coverage_maps.telling.messages import FOLDER, LANGUAGES
from coverage_maps.telling.words import HEADINGS, PARTS

KEYWORDS = {"text": None, "t": None, "remark": None, "count": (1, 2), "counted": (1, 2)}
METHODS = [("**.py", "python"), ("telling/templates/**.html", "jinja2")]
UNSAID = tuple(
    f'"{name}'.encode()
    for name in ("POT-Creation-Date", "PO-Revision-Date", "Project-Id", "Report-Msgid", "Last-Tr",
                 "Language-Team", "Generated-By")
)  # fmt: skip
"""Headers that would tell only when and with what the file was written."""
BY_NAME = (
    *HEADINGS.values(), *PARTS.values(), *FIFTHS, UNGROUPED, "all", "deprivation", "demand",
    "users", "sessions", "neighbourhoods", "sites", "usage", "request", "uptime", *DAYS,
    *demand.CAVEATS, *unmet_demand.CAVEATS,
)  # fmt: skip
"""Messages that the code names by a variable."""


def collect() -> Catalog:
    """All messages, untranslated."""
    found = Catalog(charset="utf-8")
    here = Path(__file__).resolve().parents[1]
    for file, _, message, _, _ in extract_from_dir(here, METHODS, keywords=KEYWORDS):
        if isinstance(message, tuple) or message:
            found.add(message, locations=[(f"coverage_maps/{file}", 0)])
    for message in BY_NAME:
        found.add(message)
    return found


def updated(code: str, template: Catalog) -> bytes:
    """The catalogue of a language with all messages of `template`, as a .po file."""
    path = FOLDER / code / "LC_MESSAGES" / "messages.po"
    kept = Catalog(locale=code)
    if path.is_file():
        with path.open("rb") as file:
            kept = read_po(file, locale=code)
    fresh = Catalog(locale=code, charset="utf-8", project="Farola", fuzzy=False,
                    header_comment=f"# Words of plans and reports: {code}.")  # fmt: skip
    for message in template:
        if message.id:
            old = kept.get(message.id)
            fresh.add(message.id, old.string if old else None, locations=message.locations)
    out = BytesIO()
    write_po(out, fresh, width=100, sort_output=True, include_lineno=False, omit_header=False)
    return b"".join(
        line for line in out.getvalue().splitlines(keepends=True) if not line.startswith(UNSAID)
    )


def main() -> None:
    """Update every catalogue."""
    template = collect()
    for code in LANGUAGES[1:]:
        path = FOLDER / code / "LC_MESSAGES" / "messages.po"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(updated(code, template))


if __name__ == "__main__":
    main()
