"""Which compiled MIB module defines which name: reads the modules' text instead of running them
all, which takes seconds, so that only those that are needed are loaded.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from collectors.snmp.model import Oid

PACKAGES = ("pysnmp.smi.mibs", "pysnmp_mibs")
"""Where compiled MIBs come from: SNMP's own with pysnmp, the IETF's with pysnmp-mibs."""
_NODE = re.compile(
    r"^(?P<name>\w+) ?= ?(?:_\w+_(?:Object|ObjectIdentity)|Mib\w+|ModuleIdentity|ObjectIdentity)\("
    r"\s*\((?P<oid>\d[\d,\s]*)\)",
    re.MULTILINE,
)
"""A node of the tree, in the form of today's pysmi and in that of 2016."""
_NO_NODES = frozenset({"sysUpTimeInstance"})
"""A second name for what another module defines."""


@dataclass(frozen=True)
class Definition:
    """A name that a module defines."""

    module: str
    name: str
    oid: Oid


def package_folders() -> list[Path]:
    """Where the packages keep their compiled MIBs."""
    folders = []
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            folders.append(Path(next(iter(spec.submodule_search_locations))))
    return folders


class NamesIndex:
    """Names and OIDs of all compiled modules in some folders; of a module that several hold, the
    first folder's counts.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._files: dict[str, Path] = {}
        for folder in folders:
            for path in sorted(folder.glob("*.py")):
                if not path.stem.startswith("_"):
                    self._files.setdefault(path.stem, path)

    @property
    def modules(self) -> list[str]:
        """All module names."""
        return sorted(self._files)

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        """What the modules define; older forms of a module last."""
        return tuple(
            one for module in sorted(self._files, key=_age) for one in _read(self._files[module])
        )

    @cached_property
    def by_name(self) -> dict[str, list[Definition]]:
        """Definitions by name; `mib_2` is found as `mib-2` too."""
        return _grouped(
            (key, one) for one in self.definitions for key in {one.name, one.name.replace("_", "-")}
        )

    @cached_property
    def _by_oid(self) -> dict[Oid, str]:
        modules: dict[Oid, str] = {}
        for one in self.definitions:
            modules.setdefault(one.oid, one.module)
        return modules

    def module_of(self, oid: Oid) -> str | None:
        """The module that defines the nearest node above `oid`, or that node itself."""
        for length in range(len(oid), 1, -1):
            if module := self._by_oid.get(oid[:length]):
                return module
        return None


@lru_cache(maxsize=1000)
def _read(path: Path) -> tuple[Definition, ...]:
    """The nodes that a compiled module defines."""
    found = []
    for match in _NODE.finditer(path.read_text(encoding="utf-8", errors="replace")):
        if match["name"] not in _NO_NODES:
            oid = tuple(int(part) for part in match["oid"].split(",") if part.strip())
            found.append(Definition(path.stem, match["name"], oid))
    return tuple(found)


def _grouped(pairs: Iterable[tuple[str, Definition]]) -> dict[str, list[Definition]]:
    groups: dict[str, list[Definition]] = {}
    for key, one in pairs:
        groups.setdefault(key, []).append(one)
    return groups


def _age(module: str) -> tuple[bool, bool, str]:
    """Sorts SNMPv2-SMI and SNMPv2-MIB first, and modules of an RFC's number last: newer ones took
    their names over.
    """
    return module.startswith("RFC"), not module.startswith("SNMPv2-"), module
