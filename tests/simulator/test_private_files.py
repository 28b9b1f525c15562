"""Whatever a script does, it stays in its device's folder; a full flash is a full flash."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.device import Device
from simulator.flash import Flash
from simulator.shell.applets import APPLETS
from simulator.shell.builtins import BUILTINS

PARTS = st.sampled_from(["..", ".", "", "a", "b", "link", "up", "abs", "loop", "etc", "x y", "é"])
PATHS = st.lists(PARTS, max_size=9).map("/".join).map(lambda text: "/" + text)


@pytest.fixture
def flash(tmp_path: Path) -> Flash:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("host", encoding="utf-8")
    root = tmp_path / "device"
    (root / "a" / "b").mkdir(parents=True)
    (root / "link").symlink_to("a/b")
    (root / "a" / "up").symlink_to("../../../../outside")
    (root / "abs").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    return Flash(root)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(path=PATHS, follow=st.booleans())
def test_no_path_leads_out_of_the_device(flash: Flash, path: str, follow: bool) -> None:
    try:
        host = flash.host(path, follow=follow)
    except OSError:
        return
    real = Path(os.path.realpath(host.parent)) / host.name
    assert real.is_relative_to(flash.root.resolve())
    if follow and host.exists():
        assert host.resolve().is_relative_to(flash.root.resolve())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(path=PATHS)
def test_no_write_lands_outside(flash: Flash, path: str) -> None:
    try:
        flash.write(path, b"x")
        flash.remove(path)
    except OSError:
        pass
    outside = flash.root.parent / "outside"
    assert [entry.name for entry in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text(encoding="utf-8") == "host"


ESCAPES = [
    "cat /../../../../etc/passwd",
    "ln -s /etc/passwd l; cat l",
    "ln -s ../../../../../../../../etc/shadow l; cat l",
    "cd ../../../../../..; pwd; cat etc/hostname",
    "ln -s {outside} o; echo changed > o/secret; ls o; rm -rf o/; cp /etc/banner o/x",
    "mkdir d; ln -s / d/r; ln -s ../../../.. d/r2; find d; cat d/r2{outside}/secret",
    "mv /etc/../../../{outside}/secret here; cp {outside}/secret here2; cat here here2",
    "touch {outside}/new; mkdir {outside}/newdir; rm -rf {outside}; rm -f {outside}/secret",
    "sed -i s/host/gone/ {outside}/secret; dd if={outside}/secret; . {outside}/secret",
    "uci -c {outside} show; uci -t {outside} set system.ntp.enabled=0",
    "uci import x < {outside}/secret; uci -f {outside}/secret import x",
    "sh {outside}/secret; {outside}/secret; cat < {outside}/secret; echo x > {outside}/y",
    "rm -rf /; rmdir /; mv / /tmp/x; ln -sf x /; chmod 777 {outside}",
    "find / -name secret -exec cat {{}} ';'; ls -R /",
    "mktemp {outside}/XXXXXX; tee {outside}/t < /dev/null; md5sum {outside}/secret",
]


@pytest.mark.parametrize("script", ESCAPES)
def test_scripts_cannot_reach_the_host(
    script: str, sh: Callable[..., Any], device: Device, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("host secret", encoding="utf-8")
    ran = sh(script.format(outside=outside))
    assert "host secret" not in ran.out
    host_name = Path("/etc/hostname")
    if host_name.exists() and "hostname" in script:
        assert host_name.read_text(encoding="utf-8").strip() not in ran.out.splitlines()
    assert [entry.name for entry in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text(encoding="utf-8") == "host secret"


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None
)
@given(text=st.text(alphabet="ab$(){}[]<>|&;'\"`\\\n\t *?!#=~./0159-", max_size=60))
def test_no_script_breaks_the_shell(text: str, sh: Callable[..., Any]) -> None:
    ran = sh("set -- x\n" + text.replace("&", "&&"))  # nothing left running behind
    assert 0 <= ran.status <= 255


NAMES = sorted((set(APPLETS) | set(BUILTINS)) - {"sleep", "usleep", "lock", "timeout"})
WORDS = [*"abcdefghilmnpqrstuwx", "-", "--", "..", "/", "/etc/config/system", "/root/x", "1", "-1",
         "²", "999", "=", "!", "(", ")", "{}", ";", "*", "[", "\\(", "s/a/b/", "%d", "+%Y",
         "pkg.a=b", "-exec", "-name", "if=x", "bs=k"]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400,
          deadline=None)  # fmt: skip
@given(name=st.sampled_from(NAMES), args=st.lists(st.sampled_from(WORDS), max_size=5),
       dash=st.booleans())  # fmt: skip
def test_no_arguments_break_a_command(
    name: str, args: list[str], dash: bool, sh: Callable[..., Any], device: Device
) -> None:
    words = [f"-{args[0]}", *args[1:]] if dash and args else args
    ran = sh(f"{shlex.quote(name)} {shlex.join(words)}", stdin=b"one two\n1\n")
    assert 0 <= ran.status <= 255
    assert device.flash.root.is_dir()  # a script may empty its device, not remove it


def test_a_full_flash_leaves_an_empty_file_and_says_so(
    sh: Callable[..., Any], device: Device
) -> None:
    device.flash.full = True
    ran = sh(
        "echo x > /etc/config/new; echo $?; cat /etc/config/new; cp /etc/banner /root/b; echo $?"
    )
    assert ran.out == "1\n1\n"
    assert "No space left on device" in ran.err
    assert sh("echo x > /tmp/new && cat /tmp/new").out == "x\n"  # memory is not flash
    refused = sh("uci set system.ntp.enabled=0; uci commit system; echo $?; cat /etc/config/system")
    assert "I/O error" in refused.err
    assert "option enabled '1'" in refused.out
    assert "100%" in sh("df").out
