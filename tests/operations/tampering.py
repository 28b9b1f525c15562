"""What somebody may do to a backup's file, and what a restore says of it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from typing import Any

Tamper = Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]


def changed(name: str) -> Tamper:
    def tamper(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        for place, (info, data) in enumerate(members):
            if info.name == name:
                spoilt = bytearray(data)
                spoilt[len(spoilt) // 2] ^= 1
                members[place] = info, bytes(spoilt)

    return tamper


def put_in(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", place: int = 0) -> Tamper:
    def tamper(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        data = b"evil" if kind == tarfile.REGTYPE else b""
        info.size = len(data)
        members.insert(place if place >= 0 else len(members), (info, data))

    return tamper


def edited(**values: Any) -> Tamper:
    def tamper(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info, data = members[-1]
        text = json.dumps(json.loads(data) | values).encode()
        info.size = len(text)
        members[-1] = info, text

    return tamper


def without(index: int) -> Tamper:
    return lambda members: members.__delitem__(index)


TAMPERED: dict[str, tuple[Tamper, str]] = {
    "a changed byte in series": (changed("series/latest.db"), "is not as its manifest says"),
    "a changed byte in settings": (changed("farola.toml"), "is not as its manifest says"),
    "a file missing": (without(0), "is not as its manifest says"),
    "the manifest missing": (without(-1), "it has no manifest"),
    "a file that nobody named": (put_in("profiles/x.yaml"), "is not as its manifest says"),
    "a file twice": (put_in("farola.toml"), "has no place"),
    "a path out of the home": (put_in("../evil"), "has no place"),
    "a path out of a folder": (put_in("profiles/../../evil"), "has no place"),
    "an absolute path": (put_in("/tmp/evil-farola"), "has no place"),
    "a name that no backup has": (put_in("inventory.key"), "has no place"),
    "a folder that no backup has": (put_in("bin/sh"), "has no place"),
    "a symbolic link": (put_in("profiles/x", tarfile.SYMTYPE, "/etc/passwd"), "has no place"),
    "a hard link": (put_in("profiles/x", tarfile.LNKTYPE, "farola.toml"), "has no place"),
    "a device": (put_in("profiles/x", tarfile.CHRTYPE), "has no place"),
    "a folder": (put_in("profiles", tarfile.DIRTYPE), "has no place"),
    "more after the manifest": (put_in("profiles/x", place=-1), "has no place"),
    "another format": (edited(format="x"), "its manifest.json is not one"),
    "a newer version": (edited(version=2), "made by a newer Farola"),
    "a manifest without files": (edited(files=3), "its manifest.json is not one"),
    "a manifest of odd files": (edited(files=[{"name": 1}]), "its manifest.json is not one"),
}
