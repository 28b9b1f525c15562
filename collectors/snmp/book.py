"""Device families as data: reads `profiles/*.yaml`, of Farola and of the city's home, and tells
which one fits a device, by the longest prefix of its sysObjectID first and its sysDescr second. The
format is in docs/profiles.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from collectors.snmp.fields import ProfileError
from collectors.snmp.model import Oid, VarBinds
from collectors.snmp.profile import (
    IDENTITY,
    SYS_DESCR,
    SYS_NAME,
    SYS_OBJECT_ID,
    SYS_UP_TIME,
    Profile,
    compile_profile,
)
from collectors.snmp.values import oid_of, text_of
from farola.errors import InputError

__all__ = [
    "FOLDER", "IDENTITY", "SYS_DESCR", "SYS_NAME", "SYS_OBJECT_ID", "SYS_UP_TIME", "Profile",
    "ProfileBook",
    "book_of", "oid_of", "packaged", "read_book", "text_of",
]  # fmt: skip

FOLDER = Path(__file__).parent / "profiles"
HOME_FOLDER = "profiles"
"""In the city's home: families of its own."""
MAX_BYTES = 1_000_000
_LAID_OVER = ("tables", "device", "named", "interfaces")
"""Sections that are laid over those of the profile that is extended, key by key."""


class ProfileBook:
    """All known families; of two that fit alike the first counts. `faults` are lines about files of
    a home that cannot be used, `own` the names of those that are.
    """

    def __init__(
        self, profiles: Sequence[Profile], own: Sequence[str] = (), faults: Sequence[str] = ()
    ) -> None:
        self.profiles = tuple(profiles)
        self.own = tuple(own)
        self.faults = tuple(faults)

    def named(self, name: str) -> Profile:
        """The profile of that name; KeyError if there is none."""
        return {profile.name: profile for profile in self.profiles}[name]

    def choose(self, values: VarBinds) -> Profile:
        """The family that fits `values`, which hold `IDENTITY` and the answers to `doubts`.

        The longest matching sysObjectID prefix wins; within it a family whose sysDescr matches,
        then one that its `confirm` scalar proves, then one that asks for neither.
        """
        object_id = values.get(SYS_OBJECT_ID)
        object_id = object_id if isinstance(object_id, tuple) else ()
        descr = text_of(values.get(SYS_DESCR)) or ""
        matching = [
            (len(prefix), profile)
            for profile in self.profiles
            for prefix in profile.prefixes
            if object_id[: len(prefix)] == prefix
        ]
        for length in sorted({length for length, _ in matching}, reverse=True):
            near = [profile for n, profile in matching if n == length]
            for fits in (
                [p for p in near if p.sys_descr is not None and p.sys_descr.search(descr)],
                [p for p in near if any(_proved(proof, values) for proof in p.confirm)],
                [p for p in near if p.sys_descr is None and not p.confirm],
            ):
                if fits:
                    return fits[0]
        raise LookupError("the book lacks a profile that fits any agent")

    def doubts(self, values: VarBinds) -> tuple[Oid, ...]:
        """OIDs worth asking before `choose`: proofs of families that sysDescr leaves open."""
        object_id = values.get(SYS_OBJECT_ID, ())
        descr = text_of(values.get(SYS_DESCR)) or ""
        if not isinstance(object_id, tuple):
            return ()
        near = [p for p in self.profiles if any(x and object_id[: len(x)] == x for x in p.prefixes)]
        if any(p.sys_descr is not None and p.sys_descr.search(descr) for p in near):
            return ()
        return tuple(dict.fromkeys(oid for p in near for oid, _ in p.confirm))


def _proved(proof: tuple[Oid, re.Pattern[str]], values: VarBinds) -> bool:
    oid, pattern = proof
    value = values.get(oid)
    text = text_of(value) if isinstance(value, bytes) else "" if value is None else str(value)
    return bool(pattern.search(text or ""))


@lru_cache(maxsize=1)
def packaged() -> ProfileBook:
    """The families that come with Farola."""
    return read_book(FOLDER)


def book_of(home: Path) -> ProfileBook:
    """The families of the city in `home`: its own in `home`/profiles, then those of Farola that
    these do not replace by their name. A file that cannot be used is one of the book's `faults`,
    and costs no other family anything.
    """
    folder = home / HOME_FOLDER
    if not folder.is_dir():
        return packaged()
    raw: dict[str, dict[str, Any]] = {}
    profiles: list[Profile] = []
    faults: list[str] = []
    for path in _files(folder):
        try:
            raw[path.stem] = _read(path)
        except InputError as error:
            faults.append(str(error))
    for name in raw:
        try:
            profiles.append(_compiled(folder, name, raw, _packaged_raw()))
        except InputError as error:
            faults.append(str(error))
        except Exception as error:
            faults.append(f"{folder / name}.yaml: not a profile: {type(error).__name__}: {error}")
    own = {one.name for one in profiles}
    others = [one for one in packaged().profiles if one.name not in own]
    return ProfileBook([*profiles, *others], sorted(own), [_a_line(one) for one in faults])


def read_book(folder: Path) -> ProfileBook:
    """Read every profile in `folder`; InputError names a file and the key that cannot be used."""
    raw = _raw(folder)
    return ProfileBook([_compiled(folder, name, raw) for name in raw])


def _raw(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: _read(path) for path in _files(folder)}


@lru_cache(maxsize=1)
def _packaged_raw() -> Mapping[str, dict[str, Any]]:
    return _raw(FOLDER)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.yaml") if not path.name.startswith("."))


def _read(path: Path) -> dict[str, Any]:
    import yaml

    # A safe loader, in C where PyYAML has it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: not a profile: larger than {MAX_BYTES:,} bytes")
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not a profile: {_a_line(str(error))}") from None
    except RecursionError:
        raise InputError(f"{path}: not a profile: it is nested too deep") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: not a profile: must be a mapping")
    return data


def _compiled(
    folder: Path, name: str, raw: Mapping[str, dict[str, Any]],
    packaged_raw: Mapping[str, dict[str, Any]] | None = None,
) -> Profile:  # fmt: skip
    try:
        return compile_profile(name, _extended(raw, raw[name], (name,), packaged_raw))
    except ProfileError as error:
        raise InputError(f"{folder / name}.yaml: not a profile: {error}") from None


def _a_line(text: str) -> str:
    return " ".join(text.split())


def _extended(
    raw: Mapping[str, dict[str, Any]], data: dict[str, Any], line: tuple[str, ...],
    packaged_raw: Mapping[str, dict[str, Any]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """`data` laid over the profile that it extends; a null in a section removes.

    What extends its own name, or one that `raw` lacks, extends that of `packaged_raw`.
    """
    base_name = data.get("extends")
    if base_name is None:
        return data
    if (
        packaged_raw
        and base_name in packaged_raw
        and (base_name == line[-1] or base_name not in raw)
    ):
        raw, packaged_raw, line = packaged_raw, None, ()
    if base_name not in raw:
        raise ProfileError("extends", f"there is no profile {base_name!r}")
    if base_name in line:
        raise ProfileError("extends", f"goes in a circle: {' → '.join((*line, base_name))}")
    base = _extended(raw, raw[base_name], (*line, base_name), packaged_raw)
    # A family is only as verified as its own file says.
    merged = {**base, "verified": "", **data}
    for section in _LAID_OVER:
        both = [base.get(section) or {}, data.get(section) or {}]
        if not all(isinstance(one, dict) for one in both):
            raise ProfileError(section, "must be a mapping")
        merged[section] = {
            key: value for key, value in {**both[0], **both[1]}.items() if value is not None
        }
    return merged
