"""What a meeting hears, in its language: messages with their plurals, numbers, distances, money.

Messages are English sentences with `{names}`; `translations/` holds their gettext catalogues,
read as they are (.po), so nothing need be compiled. Plural rules and formats are CLDR's (Babel).
"""

from __future__ import annotations

import contextlib
import gettext
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from farola.errors import InputError

if TYPE_CHECKING:
    from babel import Locale

FOLDER = Path(__file__).with_name("translations")
LANGUAGES = ("en", "es", "ar")
FIRST_STRONG, END = "\u2068", "\u2069"


@dataclass(frozen=True)
class Remark:
    """A message to be said in any language: an English sentence, and what stands in its braces."""

    one: str
    many: str = ""
    count: float | None = None
    """Where given, the number that decides between `one` and `many`; it is `{n}` in both."""
    values: dict[str, str | int | float] = field(default_factory=dict)


def remark(text: str, **values: str | int | float) -> Remark:
    """A remark without a plural."""
    return Remark(text, values=values)


def counted(one: str, many: str, count: float, **values: str | int | float) -> Remark:
    """A remark on `count` things."""
    return Remark(one, many, count, values)


@dataclass(frozen=True, eq=False)
class Language:
    """Says messages and figures in one language."""

    locale: Locale
    catalogue: gettext.NullTranslations
    isolate: bool = False
    """Whether names are wrapped in marks that keep their direction apart (for HTML)."""

    @property
    def code(self) -> str:
        """The language alone: `en`, `es`, `ar`."""
        return str(self.locale.language)

    @property
    def tag(self) -> str:
        """As HTML's `lang` wants it."""
        return str(self.locale).replace("_", "-")

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`."""
        return str(self.locale.text_direction)

    def text(self, message: str, **values: object) -> str:
        """`message` with its braces filled."""
        found = self.catalogue.gettext(message)
        return found.format(**values) if values else found

    def count(self, one: str, many: str, count: float, **values: object) -> str:
        """`one` or `many`, as the language counts; `{n}` is the number, to the unit."""
        whole = round(count)
        found = self.catalogue.ngettext(one, many, whole)
        return found.format(n=self.number(whole), **values)

    def said(self, remark: Remark) -> str:
        """A remark, numbers in it written as the language does."""
        values = {name: self.number(v) if isinstance(v, int | float) else self.name(v)
                  for name, v in remark.values.items()}  # fmt: skip
        if remark.count is None:
            return self.text(remark.one, **values)
        return self.count(remark.one, remark.many, remark.count, **values)

    def name(self, name: str) -> str:
        """A name from a file, which may be in another script than the sentence around it."""
        return f"{FIRST_STRONG}{name}{END}" if self.isolate else name

    def number(self, value: float, digits: int = 0) -> str:
        """`value` rounded to `digits`."""
        from babel.numbers import format_decimal

        places = "." + "0" * digits if digits else ""
        return str(format_decimal(value, format=f"#,##0{places}", locale=self.locale))

    def percent(self, share: float, digits: int = 0) -> str:
        """A share 0..1 as a percentage."""
        from babel.numbers import format_percent

        places = "." + "0" * digits if digits else ""
        pattern = self.locale.percent_formats[None].pattern.replace("#,##0", f"#,##0{places}")
        return str(format_percent(share, format=pattern, locale=self.locale))

    def fine_percent(self, share: float) -> str:
        """A percentage that may be tiny: with as many digits as it needs, up to two."""
        return self.percent(share, 0 if share >= 0.1 else 1 if share >= 0.01 else 2)

    def metres(self, distance: float) -> str:
        """A distance as it is told."""
        if distance < 1000:
            return self.text("{number} m", number=self.number(distance))
        return self.text("{number} km", number=self.number(distance / 1000, 1))

    def money(self, amount: float) -> str:
        """An amount in the city's currency, which the inventory does not name."""
        return self.number(amount, 2 if amount < 100 and amount != int(amount) else 0)

    def listed(self, items: list[str]) -> str:
        """`a, b and c`, as the language joins them."""
        from babel.lists import format_list

        return str(format_list(items, locale=self.locale))


def language(code: str, timezone: str = "", *, isolate: bool = False) -> Language:
    """The language `code` (`en`, `es`, `ar`, or with a country: `es-MX`).

    Numbers are written as in the country, taken from the city's `timezone` where `code` names none
    (1,234.5 in Mexico, 1.234,5 in Spain).

    Raises
    ------
    InputError
        There is no catalogue for it.
    """
    from babel import Locale, UnknownLocaleError
    from babel.core import get_global

    try:
        locale = Locale.parse(code.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        locale = None
    if locale is None or locale.language not in LANGUAGES:
        raise InputError(
            f"--lang {code}: there is {', '.join(LANGUAGES)} (or with a country: es-MX)"
        )
    country = get_global("zone_territories").get(timezone)
    if locale.territory is None and country and locale.language != "en":
        with contextlib.suppress(UnknownLocaleError):
            locale = Locale.parse(f"{locale.language}_{country}")
    return Language(locale, _catalogue(str(locale.language)), isolate)


@lru_cache
def _catalogue(code: str) -> gettext.NullTranslations:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    path = FOLDER / code / "LC_MESSAGES" / "messages.po"
    if not path.is_file():  # English is what the messages are written in
        return gettext.NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=code)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
