"""Fetch a page from the access point itself, with whatever program it has for that."""

from __future__ import annotations

import re
import shlex

NOT_FOUND, KILLED = 127, 128 + 15  # exit statuses of ash
SILENT = "no answer"
_STATUS = re.compile(r"^\s*HTTP/1\.[01] (?P<status>\d{3})", re.MULTILINE)
_LOCATION = re.compile(r"^\s*location:\s*(?P<location>\S+)", re.MULTILINE | re.IGNORECASE)
_REDIRECTED = re.compile(r"^(?:Failed to redirect|Redirected) to (\S*) on (?P<host>\S+)", re.M)
_HTTP_ERROR = re.compile(r"HTTP error (?P<status>\d{3})")
_BYTES = re.compile(r"Download completed \((?P<bytes>\d+) bytes\)")
_FAULTS = (
    (re.compile(r"bad address|unknown host|Name or service not known|resolve", re.I),
     "its name is not found"),
    (re.compile(r"timed out|timeout", re.I), SILENT),
    (re.compile(r"refused|reset|Connection failed|unreachable|error getting response", re.I),
     "connection refused or broken off"),
    (re.compile(r"Connecting to"), "not HTTP"),
)  # fmt: skip


def fetch_command(url: str, seconds: int) -> str:
    """An ash command that fetches `url` and throws it away; it ends after `seconds` at the latest.

    It is ended from outside: neither program has a time-out for all of it.
    """
    quoted = shlex.quote(url)
    return (
        "( if command -v uclient-fetch >/dev/null; "
        f"then exec uclient-fetch -T {seconds} -O /dev/null {quoted}; "
        f"else exec wget -S -O /dev/null {quoted}; fi ) & p=$!; "
        f"( sleep {seconds}; kill $p ) >/dev/null 2>&1 </dev/null & k=$!; "
        "wait $p; s=$?; kill $k 2>/dev/null; exit $s"
    )


def read_answer(status: int, text: str) -> tuple[int, str]:
    """What uclient-fetch said, or busybox's wget with its -S: (HTTP status, location it leads to).

    Where there was no HTTP answer: (0, why), or (-1, "") where the program's words say nothing.
    """
    first, redirected = _STATUS.search(text), _REDIRECTED.search(text)
    if first:
        told = _LOCATION.search(text)
        return int(first["status"]), told["location"] if told else ""
    if redirected:
        return 302, f"http://{redirected['host']}"
    if error := _HTTP_ERROR.search(text):
        return int(error["status"]), ""
    if done := _BYTES.search(text):
        # uclient-fetch tells no status of what worked: 204 is what has no body.
        return (200 if int(done["bytes"]) else 204), ""
    if status == KILLED:
        return 0, SILENT
    return next(((0, why) for words, why in _FAULTS if words.search(text)), (-1, ""))
