"""Boots in order, orderly reboots, radios that listen for radar, and simulated firmware."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.firmware import Image, ImageError, make_image, read_image
from tests.fleets import Lone, lone_point

NEW = Image("24.10.1", "r28597-0425664679")
SCRIPT = "#!/bin/sh /etc/rc.common\\nSTART={}\\nSTOP=10\\nstart() {{ {}; }}\\nstop() {{ {}; }}\\n"


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Lone]:
    with lone_point(tmp_path) as running:
        yield running


def enable(point: Lone, name: str, number: str, start: str, stop: str = ":") -> None:
    text = SCRIPT.format(number, start, stop)
    made = point.strings.run(
        f"printf '{text}' > /etc/init.d/{name}; chmod +x /etc/init.d/{name};"
        f"/etc/init.d/{name} enable; sync"
    )
    assert made.err == ""


def test_init_scripts_run_in_order_around_the_network_and_before_anybody_signs_in(
    point: Lone,
) -> None:
    log = "echo {} $(ubus list network.interface | wc -l) $(ip route | wc -l) >> /tmp/order"
    enable(point, "late", "21", log.format("late"))
    enable(point, "early", "09", log.format("early"))
    enable(point, "between", "19", log.format("between"), "echo stopped > /etc/stopped")
    point.strings.power_cut()
    lines = point.strings.run("cat /tmp/order").out.splitlines()
    assert [line.split()[0] for line in lines] == ["early", "between", "late"]
    assert [line.split()[-1] for line in lines] == ["0", "0", "2"]  # routes: the network is S20
    assert not point.strings.run("cat /etc/stopped").out
    point.strings.run("echo kept > /etc/kept")
    point.strings.reboot()  # in good order: services are stopped, and all is written
    assert point.strings.run("cat /etc/kept /etc/stopped").out == "kept\nstopped\n"


def test_an_image_is_checked_and_then_booted_with_the_configuration_alone(point: Lone) -> None:
    root, run = point.root, point.strings.run
    (root / "tmp" / "new.bin").write_bytes(make_image(NEW))
    assert run("sysupgrade -T /tmp/new.bin").status == 0
    told = json.loads(
        run("""ubus call system validate_firmware_image '{"path":"/tmp/new.bin"}'""").out
    )
    assert told["valid"] is True
    run("uci set system.@system[0].hostname=kept; uci commit system; echo 1 > /etc/mine")
    enable(point, "own", "30", ":")
    (root / "tmp" / "new.bin").write_bytes(make_image(NEW))
    # It never answers: the device takes the session away.
    assert run("sysupgrade -q /tmp/new.bin").status == 137
    point.strings.wait_booted(2)
    board = json.loads(run("ubus call system board").out)
    assert (board["hostname"], board["release"]["version"]) == ("kept", NEW.version)
    assert NEW.revision in run("cat /etc/openwrt_release").out
    assert run("ls /etc/mine /etc/init.d/own /tmp/new.bin").out == ""
    (root / "tmp" / "old.bin").write_bytes(make_image(Image("23.05.3", "r23809-234f1a2efa")))
    run("sysupgrade -n /tmp/old.bin")
    point.strings.wait_booted(3)
    board = json.loads(run("ubus call system board").out)
    assert (board["hostname"], board["release"]["version"]) == ("lone", "23.05.3")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"#!/bin/sh\n", "Image metadata not present"),
        (make_image(NEW)[:-1], "its hash differs"),
        (make_image(NEW).replace(b"24.10.1", b"24.10.2"), "signature not valid"),
        (make_image(Image("1", "r1", ("another,board",))), "not supported by this image"),
        (b"simulated firmware 1\n{}\n", "Invalid image metadata"),
    ],
)
def test_an_image_that_must_not_be_installed_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        read_image(data, "pretend,ap-2x2")


def test_images_that_do_not_boot_fall_back_or_leave_a_dead_device(point: Lone) -> None:
    run = point.strings.run
    bad = make_image(Image("24.10.0", "r1", boots="falls back"))
    (point.root / "tmp" / "bad.bin").write_bytes(bad)
    assert run("sysupgrade -T /tmp/none.bin").status == 1
    assert run("sha256sum < /tmp/bad.bin | cut -c1-8").status == 0
    run("sysupgrade /tmp/bad.bin")
    point.strings.wait_booted(2)
    assert json.loads(run("ubus call system board").out)["release"]["version"] == "23.05.3"
    dead = make_image(Image("24.10.0", "r1", boots="never"))
    (point.root / "tmp" / "dead.bin").write_bytes(dead)
    run("sysupgrade /tmp/dead.bin")
    time.sleep(0.3)
    state = point.strings.state()
    assert not state.booted
    assert not state.listens


@pytest.mark.parametrize(
    ("channel", "width", "seconds"),
    [("36", "VHT80", 0), ("52", "VHT20", 60), ("36", "VHT160", 60), ("124", "HT20", 600),
     ("116", "VHT80", 600), ("100", "VHT80", 60), ("149", "VHT80", 0)],
)  # fmt: skip
def test_a_radio_on_radars_channels_listens_before_it_serves(
    point: Lone, channel: str, width: str, seconds: int
) -> None:
    run = point.strings.run
    run(f"uci set wireless.radio1.channel={channel}; uci set wireless.radio1.htmode={width};"
        "uci set wireless.default_radio1.ssid=new; uci commit wireless; wifi reload")  # fmt: skip
    dfs = json.loads(run("ubus call hostapd.wlan1 get_status").out)
    assert dfs["dfs"]["cac_seconds"] == seconds
    assert point.strings.state().serving == {"radio0": True, "radio1": not seconds}
    if seconds:
        assert dfs["status"] == "DFS"
        assert run("iwinfo wlan1 assoclist").status == 1  # not up
        point.strings.advance(seconds - 10)
        run("wifi reload")  # nothing changed: it goes on listening, it does not begin again
        assert not point.strings.state().serving["radio1"]
        point.strings.advance(11)
    assert point.strings.state().serving["radio1"]
    assert json.loads(run("ubus call hostapd.wlan1 get_status").out)["status"] == "ENABLED"


def test_the_portal_answers_where_it_is_up(point: Lone) -> None:
    fetch = "uclient-fetch -T 2 -O - http://portal.invalid/"
    assert "pretend portal" in point.strings.run(fetch).out
    point.strings.portal(up=False)
    assert point.strings.run(fetch).status == 4
    assert not point.strings.state().portal
