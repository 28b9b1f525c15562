"""NAPALM's vocabulary for an access point's config: load, look, compare; what comes after that is
in `napalm_openwrt.committing`.

A candidate is text in the form that `uci export` prints, one or more packages. A merge leaves
alone what it does not name; a replace makes each package that it names exactly the candidate,
and leaves the other packages alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from napalm.base.exceptions import (
    CommandErrorException,
    MergeConfigException,
    ReplaceConfigException,
)

from napalm_openwrt import transaction
from napalm_openwrt.beyond import beyond_napalm
from napalm_openwrt.committing import Committing, parsed
from napalm_openwrt.uci_merge import MergeConflict, diff, mask_config, merge
from napalm_openwrt.uci_text import UciSyntaxError, format_config, parse


class Configuring(Committing):
    """What `OpenWrtDriver` does to a device's config."""

    def load_merge_candidate(self, filename: str | None = None, config: str | None = None) -> None:
        """Load a candidate that is laid over what runs; MergeConfigException if it is faulty."""
        self._load(filename, config, MergeConfigException)

    def load_replace_candidate(
        self, filename: str | None = None, config: str | None = None
    ) -> None:
        """Load a candidate that replaces each package it names, or ReplaceConfigException."""
        self._load(filename, config, ReplaceConfigException)

    @beyond_napalm
    def look(self, config: str, *, replace: bool = False) -> tuple[str, str]:
        """Load `config` as a candidate, to be merged or to `replace`. Returns what runs now and the
        difference: what `get_config` and `compare_config` tell, in one reading instead of three.
        """
        found = self._read()
        self._load(None, config, ReplaceConfigException if replace else MergeConfigException, found)
        running = parsed(found, CommandErrorException)
        candidate = self._candidate or {}
        named = {name: package for name, package in running.items() if name in candidate}
        difference = diff(named, candidate, mask_secrets=self.mask_secrets)
        return format_config(running), difference

    def _load(
        self, filename: str | None, config: str | None, fault: type[Exception],
        found: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Check the candidate here and by the device's own uci, and compute its result; `found` are
        all files of the device, where they have just been read.
        """
        self.discard_config()
        merging = fault is MergeConfigException
        where = filename or "candidate"
        if config is not None and not isinstance(config, str):
            raise fault(f"{where}: must be text, not {type(config).__name__}: decode it first")
        try:
            text = Path(filename).read_text(encoding="utf-8") if filename else config or ""
            candidate = parse(text, keep_empty=merging)
            if not candidate:
                raise fault(f"{where}: holds no package; begin it with a line `package NAME`")
            if found is None:
                base = self._read(candidate)
            else:
                base = {name: text for name, text in found.items() if name in candidate}
            running = parsed(base, fault)
            result = merge(running, candidate) if merging else candidate
            transaction.stage(self.session, result)
        except (UciSyntaxError, MergeConflict) as error:
            raise fault(f"{where}: {error}") from None
        except transaction.Refused as error:
            raise fault(f"{where}: refused by the device: {error}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise fault(f"{where}: cannot be read: {error}") from None
        self._candidate, self._base = result, base

    def _read(self, names: Iterable[str] | None = None) -> dict[str, str]:
        found = transaction.read_packages(self.session, names)
        self.unfinished = found.unfinished
        return found

    def compare_config(self) -> str:
        """Unified diff, as `uci export` prints it: what ran when the candidate was loaded, against
        the result, or "". A commit is refused where that has changed since.
        """
        if self._candidate is None:
            return ""
        running = parsed(self._base, CommandErrorException)
        return diff(running, self._candidate, mask_secrets=self.mask_secrets)

    def get_config(
        self,
        retrieve: str = "all",
        full: bool = False,
        sanitized: bool = False,
        format: str = "text",
    ) -> dict[str, str]:
        """Config as `uci export` prints it; `sanitized` shows secrets as •••. UCI has no startup
        config of its own, so `startup` is empty.
        """
        del full, format
        config = {"running": "", "candidate": "", "startup": ""}
        show = mask_config if sanitized else dict
        if retrieve in {"all", "running"}:
            found = self._read()
            config["running"] = format_config(show(parsed(found, CommandErrorException)))
        if retrieve in {"all", "candidate"} and self._candidate is not None:
            config["candidate"] = format_config(show(self._candidate))
        return config
