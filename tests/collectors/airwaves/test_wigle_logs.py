"""WiGLE logs: both versions, rows of no Wi-Fi, and what hostile names try."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.airwaves import wigle
from collectors.airwaves.sighting import Sighting, safe
from farola.errors import InputError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
V14 = (
    "WigleWifi-1.4,appRelease=2.26,model=X\n"
    "MAC,SSID,AuthMode,FirstSeen,Channel,RSSI,CurrentLatitude,CurrentLongitude,AltitudeMeters,"
    "AccuracyMeters,Type\n"
)
V16 = (
    "WigleWifi-1.6,appRelease=2.78,model=X,star=Sol,body=3,subBody=0\n"
    "MAC,SSID,AuthMode,FirstSeen,Channel,Frequency,RSSI,CurrentLatitude,CurrentLongitude,"
    "AltitudeMeters,AccuracyMeters,RCOIs,MfgrId,Type\n"
)
GOOD = "02:00:00:00:00:01,Free WiFi,[ESS],2024-05-01 10:00:00,6,-60,19.4,-99.1,2240,5,WIFI"


def read(text: str, **options):
    log = wigle.Log()
    found = list(wigle.read(text, "walk.csv", log, NOW, **options))
    good = [f for f in found if isinstance(f, Sighting)]
    return good, [f for f in found if not isinstance(f, Sighting)], log


def test_both_versions_say_the_same() -> None:
    newer = GOOD.replace(",6,-60,", ",6,2437,-60,").replace(",5,WIFI", ",5,,,WIFI")
    (old,), _, log14 = read(V14 + GOOD + "\n")
    (new,), _, log16 = read(V16 + newer + "\r\n")
    assert (log14.version, log16.version) == ("1.4", "1.6")
    assert old == new == Sighting(
        3, datetime(2024, 5, 1, 10, tzinfo=UTC), "02:00:00:00:00:01", b"Free WiFi", 6, -60.0,
        "open", 19.4, -99.1, 5.0,
    )  # fmt: skip


def test_other_radios_are_skipped_and_counted() -> None:
    rows = "\n".join(GOOD.replace("WIFI", kind) for kind in ("BT", "BLE", "GSM", "LTE", "BLE"))
    good, bad, log = read(V14 + rows)
    assert (good, bad) == ([], [])
    assert log.skipped == {"BT": 1, "BLE": 2, "GSM": 1, "LTE": 1}


@pytest.mark.parametrize(
    ("was", "becomes", "field"),
    [
        ("-60", "60", "rssi"),
        ("-60", "-200", "rssi"),
        ("-60", "loud", "RSSI"),
        ("-60", "nan", "RSSI"),
        ("19.4", "91", "lat"),
        ("-99.1", "-199.1", "lon"),
        ("19.4,-99.1", "0,0", "lat"),
        ("19.4", "", "CurrentLatitude"),
        ("2024-05-01", "1970-01-01", "time"),
        ("2024-05-01", "2031-05-01", "time"),
        ("2024-05-01 10:00:00", "yesterday", "FirstSeen"),
        ("02:00:00:00:00:01", "02:00:00", "MAC"),
        ("02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff", "MAC"),
        ("Free WiFi", "x" * 33, "SSID"),
        ("Free WiFi", 'Free,"WiFi', ""),
    ],
)
def test_a_row_that_cannot_be_is_rejected_by_name(was: str, becomes: str, field: str) -> None:
    good, bad, _ = read(V14 + GOOD.replace(was, becomes, 1) + "\n" + GOOD)
    assert [s.row for s in good] == [4], "the next row is not touched"
    ((row, error),) = bad
    assert (row, error.field) == (3, field)
    assert error.why


def test_a_name_with_an_open_quote_cannot_hide_the_rows_behind_it() -> None:
    good, bad, _ = read(V14 + GOOD.replace("Free WiFi", '"Free WiFi') + "\n" + GOOD + "\n" + GOOD)
    assert [s.row for s in good] == [3, 4, 5] or ([s.row for s in good], len(bad)) == ([4, 5], 1)


def test_quotes_by_the_book_and_line_separators_inside_a_name() -> None:
    named = GOOD.replace("Free WiFi", '"Café, ""Norte""\u2028"')
    (one,), bad, _ = read(V14 + named)
    assert not bad
    assert one.ssid.decode() == 'Café, "Norte"\u2028'


def test_times_are_utc_unless_said_otherwise() -> None:
    (one,), _, _ = read(V14 + GOOD, zone=ZoneInfo("America/Mexico_City"))
    assert one.at == datetime(2024, 5, 1, 16, tzinfo=UTC)


def test_a_missing_column_names_the_line_and_the_column() -> None:
    with pytest.raises(InputError, match=r"walk.csv: line 2: no column 'RSSI'"):
        read(V14.replace(",RSSI", ",Signal") + GOOD)


@pytest.mark.parametrize(
    ("auth_mode", "security"),
    [
        ("[ESS]", "open"), ("[WPS][ESS]", "open"), ("", "unknown"), ("[WEP][ESS]", "WEP"),
        ("[WPA2-PSK-CCMP+TKIP][ESS]", "WPA2"), ("[WPA2-PSK-CCMP-preauth][ESS]", "WPA2"),
        ("[WPA-PSK-CCMP+TKIP][WPA2-PSK-CCMP+TKIP][WPS][ESS][BLE]", "WPA/WPA2"),
        ("[WPA2-EAP/SHA1-CCMP][RSN-EAP/SHA1-CCMP][ESS]", "Enterprise"),
        ("[RSN-PSK+SAE-CCMP][ESS][MFPC]", "WPA2/WPA3-SAE"), ("[RSN-SAE-CCMP][MFPR]", "WPA3-SAE"),
        ("[RSN-OWE-CCMP][ESS]", "OWE"), ("[RSN-OWE_TRANSITION-CCMP][ESS]", "open"),
        ("[WPA2-FT/PSK-CCMP]", "WPA2"), ("[WPA2_WPA3_PSK]", "WPA2/WPA3-SAE"), ("[WPA2]", "unknown"),
    ],
)  # fmt: skip
def test_how_one_may_join(auth_mode: str, security: str) -> None:
    assert wigle.security(auth_mode) == security


@given(rest=st.text(max_size=200))
def test_any_text_is_read_or_named(rest: str) -> None:
    good, bad, log = read(V14 + rest)
    assert len(good) + len(bad) + log.skipped.total() == log.read


@given(name=st.binary(max_size=32))
def test_any_name_prints_safely(name: bytes) -> None:
    text = safe(name)
    assert text.isprintable()


def test_escapes_and_turned_text_are_written_out() -> None:
    assert safe(b"\x1b[2JFree\x07") == "\\u001b[2JFree\\u0007"
    assert safe("Free\u202eiFiW".encode()) == "Free\\u202eiFiW"
    assert safe(b"\xff\xfe") == "\\xff\\xfe"
