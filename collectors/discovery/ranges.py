"""Which addresses a search may ask: networks, single addresses and ranges as people write them.
Pure but for reading a file of them; nothing outside what was written is ever asked.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from farola.errors import InputError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
LIMIT = 2**18
"""Addresses of an IPv4 /14 or an IPv6 /110: more than that is seldom meant."""
MOST = 2**24
"""More than this is never asked: at 200 requests a second it takes a day for one try."""
MAX_FILE_BYTES = 8_000_000
FORMS = "write a network (10.2.0.0/22), an address, a range (10.2.0.5-10.2.0.80) or a file of them"


@dataclass(frozen=True, order=True)
class Span:
    """All addresses from `first` to `last`, both asked, as numbers of IP `version` 4 or 6."""

    version: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """How many addresses."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Ranges:
    """Spans in order that neither overlap nor touch."""

    spans: tuple[Span, ...]

    @property
    def count(self) -> int:
        """How many addresses there are to ask."""
        return sum(span.size for span in self.spans)

    def __iter__(self) -> Iterator[str]:
        """Each address once, as text; a network of millions takes no memory."""
        for span in self.spans:
            kind = ipaddress.IPv4Address if span.version == 4 else ipaddress.IPv6Address
            for number in range(span.first, span.last + 1):
                yield str(kind(number))

    def __contains__(self, address: str) -> bool:
        """Whether `address` is one of those to ask."""
        try:
            one = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(
            span.version == one.version and span.first <= int(one) <= span.last
            for span in self.spans
        )


def read_ranges(texts: Iterable[str], large: bool = False) -> Ranges:
    """What `texts` (or the files that they name) mean together.

    The network and the broadcast address of an IPv4 network are not asked (a /31 and a /32 have
    none), nor is the first of an IPv6 network, which means any of its routers.

    Raises
    ------
    InputError
        Something is no range, or they are too many addresses without `large`.
    """
    spans = _merged([span for text in texts for span in _spans_or_file(text)])
    ranges = Ranges(tuple(spans))
    if not ranges.count:
        raise InputError(f"no address to ask: {FORMS}")
    if ranges.count > MOST:
        raise InputError(
            f"{ranges.count:,} addresses are too many for one search, at most {MOST:,}: name the "
            "networks that devices are in"
        )
    if ranges.count > LIMIT and not large:
        raise InputError(
            f"{ranges.count:,} addresses are more than {LIMIT:,} (an IPv4 /14): name smaller "
            "networks, or give --large if that is meant"
        )
    return ranges


def _spans_or_file(text: str) -> list[Span]:
    try:
        return [span_of(text)]
    except InputError:
        if not _is_file(text):
            raise
    return _from_file(Path(text))


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _from_file(path: Path) -> list[Span]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{path}: too large for a list of ranges ({MAX_FILE_BYTES:,} bytes)")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None
    spans = []
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if text:
            try:
                spans.append(span_of(text))
            except InputError as error:
                raise InputError(f"{path}, line {number}: {error}") from None
    return spans


def span_of(text: str) -> Span:
    """One network, address or range; InputError says what is wrong with it."""
    text = text.strip()
    if len(text) > 100:
        raise InputError(f"{text[:40] + '…'!r} is no range: {FORMS}")
    if "-" in text:
        low, _, high = text.partition("-")
        first, last = _address(low.strip(), text), _address(high.strip(), text)
        if first.version != last.version:
            raise InputError(f"{text!r}: IPv4 and IPv6 mixed; give each its own range")
        if int(first) > int(last):
            raise InputError(f"{text!r}: the first address is not below the last")
        span = Span(first.version, int(first), int(last))
    elif "/" in text:
        span = _network(text)
    else:
        one = _address(text, text)
        span = Span(one.version, int(one), int(one))
    _check_askable(span, text)
    return span


def _address(text: str, whole: str) -> IPAddress:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise InputError(f"{whole!r} is no address and no file: {FORMS}") from None
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        raise InputError(f"{whole!r}: addresses with a zone cannot be searched")
    return address


def _network(text: str) -> Span:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        try:
            wider = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise InputError(f"{text!r} is no network and no file: {FORMS}") from None
        raise InputError(
            f"{text!r} is an address within {wider}: write {wider} for that network, or the "
            "address alone"
        ) from None
    first, last = int(network.network_address), int(network.broadcast_address)
    if network.max_prefixlen - network.prefixlen > 1:
        first += 1
        last -= network.version == 4
    return Span(network.version, first, last)


def _check_askable(span: Span, text: str) -> None:
    """Refuse what no single device has: multicast, broadcast, reserved and unspecified."""
    kind = ipaddress.IPv4Network if span.version == 4 else ipaddress.IPv6Network
    for name in ("0.0.0.0/8", "224.0.0.0/3") if span.version == 4 else ("::/128", "ff00::/8"):
        never = kind(name)
        if span.first <= int(never.broadcast_address) and span.last >= int(never.network_address):
            raise InputError(f"{text!r} holds addresses that no device has ({name})")


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans):
        before = merged[-1] if merged else None
        if before and before.version == span.version and span.first <= before.last + 1:
            merged[-1] = Span(span.version, before.first, max(before.last, span.last))
        else:
            merged.append(span)
    return merged
