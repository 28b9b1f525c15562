"""The driver alone, given what it cannot use, says so in one line of NAPALM's exceptions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from napalm.base.exceptions import (
    ConnectionException,
    MergeConfigException,
    ReplaceConfigException,
)

from napalm_openwrt import OpenWrtDriver


def driver(**arguments: object) -> OpenWrtDriver:
    return OpenWrtDriver("127.0.0.1", "root", "x", optional_args=arguments)


@pytest.mark.parametrize("port", ["abc", 99999, -1, "2 2"])
def test_a_port_that_is_none_is_named(port: object) -> None:
    with pytest.raises(ConnectionException, match="is no TCP port"):
        driver(port=port)


@pytest.mark.parametrize("candidate", [b"package system", 7])
def test_a_candidate_that_is_no_text_is_refused(candidate: Any) -> None:
    with pytest.raises(MergeConfigException, match="must be text"):
        driver().load_merge_candidate(config=candidate)
    with pytest.raises(ReplaceConfigException, match="must be text"):
        driver().load_replace_candidate(config=candidate)


@pytest.mark.parametrize(
    ("option", "content", "said"),
    [
        ("key_file", None, "no such key file"),
        ("known_hosts", b"127.0.0.1 ssh-ed25519 %%%\n", "line 1 is no known_hosts line"),
        ("known_hosts", b"\xff\xfe\x00", "it is not text"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_by_its_path(
    tmp_path: Path, option: str, content: bytes | None, said: str
) -> None:
    path = tmp_path / "given"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConnectionException, match=said) as caught:
        driver(**{option: str(path)}).open()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
