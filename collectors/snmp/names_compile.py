"""Text MIBs from a folder, compiled by pysmi. The modules that they import need not lie beside
them: those that come compiled with packages are told to pysmi as an outline of their names.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from collectors.snmp.names_index import package_folders
from farola.errors import InputError

_HEAD = re.compile(rb"^\s*([A-Za-z][\w-]*)\s+DEFINITIONS\b[^:]*::=\s*BEGIN", re.MULTILINE)
_SYNTAXES = {
    "OctetString": "OCTET STRING", "ObjectIdentifier": "OBJECT IDENTIFIER", "Integer": "INTEGER",
    "Bits": "OCTET STRING", "Integer32": "INTEGER", "IpAddress": "OCTET STRING",
    "Opaque": "OCTET STRING",
}  # fmt: skip
_MACROS = (
    "MODULE-IDENTITY", "OBJECT-IDENTITY", "OBJECT-TYPE", "NOTIFICATION-TYPE", "TEXTUAL-CONVENTION",
    "OBJECT-GROUP", "NOTIFICATION-GROUP", "MODULE-COMPLIANCE", "AGENT-CAPABILITIES", "TRAP-TYPE",
)  # fmt: skip
MAX_FILE_BYTES = 20_000_000
MOST_FILES = 5_000


def text_modules(folder: Path) -> dict[str, Path]:
    """The MIB modules whose text lies in `folder`, by name.

    Raises
    ------
    InputError
        `folder` cannot be read, or holds no MIB.
    """
    found: dict[str, Path] = {}
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())[:MOST_FILES]
        for path in paths:
            if path.stat().st_size <= MAX_FILE_BYTES:
                for name in _HEAD.findall(path.read_bytes()):
                    found.setdefault(name.decode(), path)
    except OSError as error:
        raise InputError(f"--mibs {folder}: cannot be read: {error.strerror}") from None
    if not found:
        raise InputError(f"--mibs {folder}: holds no text MIB (… DEFINITIONS ::= BEGIN)")
    return found


def modules_defining(name: str, texts: dict[str, Path]) -> list[str]:
    """The modules whose text seems to define `name`."""
    pattern = re.compile(
        rf"^\s*{re.escape(name)}\s+(?:OBJECT-TYPE|OBJECT-IDENTITY|MODULE-IDENTITY|"
        r"OBJECT\s+IDENTIFIER)\b".encode(),
        re.MULTILINE,
    )
    return [module for module, path in texts.items() if pattern.search(path.read_bytes())]


def compile_modules(
    names: Sequence[str], texts: dict[str, Path], target: Path, tell: Callable[[str], None]
) -> None:
    """Compile the modules `names`, and what they import of `texts`, into the folder `target`.

    `tell` hears of each module that cannot be compiled, in one line.
    """
    from pysmi.codegen import PySnmpCodeGen
    from pysmi.compiler import MibCompiler
    from pysmi.error import PySmiError
    from pysmi.parser.smi import parserFactory
    from pysmi.searcher import PyFileSearcher, StubSearcher
    from pysmi.writer import PyFileWriter

    writer = PyFileWriter(str(target))
    writer.set_options(pyCompile=False, pyOptimizationLevel=0)
    compiler = MibCompiler(parserFactory()(tempdir=""), PySnmpCodeGen(), writer)
    compiler.add_sources(_texts_reader(texts), _outline_reader())
    compiler.add_searchers(StubSearcher(*PySnmpCodeGen.baseMibs))
    compiler.add_searchers(*(PyFileSearcher(str(folder)) for folder in package_folders()))
    for name in names:
        try:
            done = compiler.compile(name, genTexts=True)
        except PySmiError as error:
            tell(f"{name}: {_one_line(error)}")
            continue
        for module, status in done.items():
            if status in {"failed", "missing"}:
                tell(f"{module}: {_one_line(getattr(status, 'error', '') or status)}")


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:200]


def _texts_reader(texts: dict[str, Path]) -> Any:
    from pysmi.error import PySmiReaderFileNotFoundError
    from pysmi.mibinfo import MibInfo
    from pysmi.reader.base import AbstractReader

    class Texts(AbstractReader):  # type: ignore[misc]  # pysmi publishes no types
        """A folder's MIBs by the names in them, whatever their files are called."""

        def get_data(self, mibname: str, **_options: Any) -> tuple[Any, str]:
            path = texts.get(mibname)
            if path is None:
                raise PySmiReaderFileNotFoundError(f"no {mibname}", reader=self)
            text = path.read_bytes().decode("utf-8", "replace")
            return MibInfo(path=str(path), file=path.name, name=mibname, mtime=2**40), text

    return Texts()


def _outline_reader() -> Any:
    from pysmi.error import PySmiReaderFileNotFoundError
    from pysmi.mibinfo import MibInfo
    from pysmi.reader.base import AbstractReader
    from pysnmp.smi import builder
    from pysnmp.smi.error import SmiError

    mibs = builder.MibBuilder()
    mibs.add_mib_sources(*(builder.DirMibSource(str(folder)) for folder in package_folders()))

    class Outlines(AbstractReader):  # type: ignore[misc]  # as above
        """Modules that are there compiled, written back as text: names, OIDs and basic types."""

        def get_data(self, mibname: str, **_options: Any) -> tuple[Any, str]:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    mibs.load_modules(mibname)
            except SmiError:
                raise PySmiReaderFileNotFoundError(f"no {mibname}", reader=self) from None
            info = MibInfo(path=f"outline:{mibname}", file=mibname, name=mibname, mtime=0)
            return info, outline(mibname, mibs.mibSymbols[mibname])

    return Outlines()


def outline(module: str, symbols: dict[str, Any]) -> str:
    """A compiled module's names as MIB text, enough for what imports it."""
    lines = {"": f"{module} DEFINITIONS ::= BEGIN"}
    for name, symbol in symbols.items():
        if hasattr(symbol, "getName") and hasattr(symbol, "label") and not isinstance(symbol, type):
            label = getattr(symbol, "label", "") or name
            oid = " ".join(map(str, symbol.getName()))
            if label[0].islower() and oid:
                lines.setdefault(label, f"{label} OBJECT IDENTIFIER ::= {{ {oid} }}")
        elif isinstance(symbol, type) and name not in _MACROS and name[0].isupper():
            syntax = _syntax(symbol)
            if syntax:
                lines.setdefault(name, f"{name} ::= {syntax}")
    return "\n".join([*lines.values(), "END", ""])


def _syntax(kind: type) -> str:
    names = getattr(kind, "namedValues", None)
    for base in kind.__mro__:
        syntax = _SYNTAXES.get(base.__name__)
        if syntax == "INTEGER" and names:
            values = ", ".join(f"{word}({int(number)})" for word, number in names.items())
            return f"INTEGER {{ {values} }}"
        if syntax:
            return syntax
    return ""
