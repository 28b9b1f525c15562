"""The configs that devices ran: a git repository in FAROLA_HOME, `history.git`, one file a device.

No secret is in it: each stands as a reference (`secret_references.py`), and the secrets
themselves, encrypted, in the inventory's table `config_secret`. A version is kept when it differs
from the one before.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from farola.errors import ProvisioningError
from farola.files import written_whole
from farola.keys import Keyring
from provisioning.history import secret_references as references
from provisioning.history.git_store import Commit, GitStore, Revision

if TYPE_CHECKING:
    from provisioning.history.kept_secrets import KeptSecrets

REPOSITORY = "history.git"
ASIDE = "history.aside"
"""Configs that were put aside for the next commit, encrypted, a file a device."""
INDEX = Path("cache") / "history.db"
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Version:
    """A config that a device ran, first fetched `at` (UTC, without a zone, to the second)."""

    device_id: str
    at: datetime
    mark: str
    """Keyed fingerprint of its text: equal for equal configs of a city, and tells nothing."""
    author: str = ""
    """Who changed it, or had it fetched."""
    cause: str = ""
    """What led to it: a change's number, a trap, the nightly fetch, a person."""
    commit: str = ""
    blob: str = ""


@dataclass(frozen=True)
class Kept:
    """A config to keep; in the clear, so no repr of it."""

    device_id: str
    text: str
    platform: str = "openwrt"

    def __repr__(self) -> str:
        """Without the text."""
        return f"Kept({self.device_id!r})"


class History:
    """The versions of all devices of a home."""

    def __init__(self, home: Path, keyring: Keyring) -> None:
        from provisioning.history.migration import migrate

        self.home, self.keyring = home, keyring
        self.store = GitStore(home / REPOSITORY, home / INDEX, self._mark_of_kept)
        migrate(self)

    @cached_property
    def secrets(self) -> KeptSecrets:
        """What was taken out of kept configs."""
        from provisioning.history.kept_secrets import KeptSecrets

        return KeptSecrets(self.home, self.keyring)

    def versions(self, device_id: str) -> list[Version]:
        """The versions of a device, the oldest first."""
        return [_version(device_id, one) for one in self.store.versions(path_of(device_id))]

    def newest(self, device_id: str) -> Version | None:
        """The newest version of a device, if there is one."""
        path = path_of(device_id)
        found = self.store.newest([path]).get(path)
        return _version(device_id, found) if found else None

    def marked(self, device_id: str, mark: str) -> Version | None:
        """The newest version with that mark, if there is one."""
        return next((v for v in reversed(self.versions(device_id)) if v.mark == mark), None)

    def mark(self, text: str, platform: str = "openwrt") -> str:
        """The mark of a config's text."""
        text = references.canonical(text, platform)
        kept = references.without_secrets(
            text, lambda raw: f"{{secret {self.secrets.fingerprint(raw)}}}", platform,
            self.secrets.known(),
        )  # fmt: skip
        return self._mark_of_kept(_bytes_of(kept))

    def text(self, version: Version) -> str:
        """The config in the clear; ProvisioningError where it cannot be read any more."""
        kept = self.kept_text(version)
        return references.filled(kept, self.secrets.values(kept))

    def kept_text(self, version: Version) -> str:
        """The config as it is kept: references for secrets."""
        return self.kept_texts([version])[0]

    def kept_texts(self, versions: Sequence[Version]) -> list[str]:
        """The same of many, read together."""
        blobs = self.store.read([one.blob for one in versions])
        return [one.decode("utf-8", "surrogateescape") for one in blobs]

    def add(
        self,
        device_id: str,
        text: str,
        at: datetime | None = None,
        *,
        platform: str = "openwrt",
        author: str = "farola",
        cause: str = "fetched",
    ) -> tuple[Version, bool]:
        """Keep `text` if it differs from the newest version; returns its version, and whether it
        is a new one. ProvisioningError where it cannot be written.
        """
        kept = Kept(device_id, text, platform)
        return self.add_many([kept], author=author, cause=cause, at=at)[device_id]

    def add_many(
        self,
        configs: Sequence[Kept],
        *,
        author: str = "farola",
        cause: str = "fetched",
        at: datetime | None = None,
    ) -> dict[str, tuple[Version, bool]]:
        """Keep those configs that differ from their newest version, in one commit; of each device
        its version, and whether it is a new one. It writes to the inventory: call it outside of a
        session that has written there.

        Raises
        ------
        ProvisioningError
            The repository cannot be written: nothing of it was kept.
        """
        moment = (at or datetime.now(UTC).replace(tzinfo=None)).replace(microsecond=0)
        texts = {one.device_id: references.canonical(one.text, one.platform) for one in configs}
        sealer = self.secrets.sealer(texts)
        data = {
            one.device_id: _bytes_of(references.without_secrets(
                texts[one.device_id], sealer.for_device(one.device_id), one.platform, sealer.known
            ))
            for one in configs
        }  # fmt: skip
        sealer.store()
        with self.store.lock():
            newest = self.store.newest(path_of(device_id) for device_id in data)
            new = self._changed(data, newest, texts)
            if new:
                files = {path_of(device_id): kept for device_id, kept in new.items()}
                self.store.commit([Commit(files, author, cause, moment)])
                newest |= self.store.newest(files)
        return {d: (_version(d, newest[path_of(d)]), d in new) for d in data}

    def put_aside(self, config: Kept) -> None:
        """Keep a config, encrypted, for the next `take_in`: for many processes at work at a time,
        of which none should wait for git. A newer one of the same device takes its place.
        """
        folder = self.home / ASIDE
        packed = base64.b64encode(zlib.compress(_bytes_of(config.text))).decode()
        token = self.keyring.encrypt(json.dumps([config.device_id, config.platform, packed]))
        name = hashlib.sha256(config.device_id.encode("utf-8", "surrogatepass")).hexdigest()
        try:
            folder.mkdir(exist_ok=True, mode=0o700)
            with written_whole(folder / name) as out:
                out.write(token)
        except OSError as error:
            raise ProvisioningError(f"{folder}: cannot be written: {error.strerror}") from None

    def take_in(
        self, *, author: str = "farola", cause: str = "fetched"
    ) -> dict[str, tuple[Version, bool]]:
        """Keep all that was put aside, in one commit."""
        folder = self.home / ASIDE
        found: dict[Path, tuple[bytes, Kept]] = {}
        for path in sorted(folder.glob("[0-9a-f]*")) if folder.is_dir() else []:
            try:
                token = path.read_bytes()
            except FileNotFoundError:  # another process was quicker
                continue
            device_id, platform, packed = json.loads(self.keyring.decrypt(token))
            text = zlib.decompress(base64.b64decode(packed)).decode("utf-8", "surrogateescape")
            found[path] = (token, Kept(device_id, text, platform))
        if not found:
            return {}
        added = self.add_many([kept for _, kept in found.values()], author=author, cause=cause)
        for path, (token, _) in found.items():
            if path.exists() and path.read_bytes() == token:
                path.unlink(missing_ok=True)
        return added

    def _changed(
        self, data: Mapping[str, bytes], newest: Mapping[str, Revision], texts: Mapping[str, str]
    ) -> dict[str, bytes]:
        """Those of `data` that are not what their newest version is."""
        known = {d: newest.get(path_of(d)) for d in data}
        marks = {d: one.mark if one else "" for d, one in known.items()}
        new = {d: kept for d, kept in data.items() if self._mark_of_kept(kept) != marks[d]}
        older = {d: one.blob for d in new if (one := known[d])}
        for device_id, old in zip(older, self.store.read([*older.values()]), strict=True):
            # A credential stored since hides more of the same text: no change of the device's.
            was, now = (one.decode("utf-8", "surrogateescape") for one in (old, new[device_id]))
            if len(references.references(was)) != len(references.references(now)):
                clear = references.filled(was, self.secrets.values(was))
                if clear == texts[device_id]:
                    del new[device_id]
        return new

    def _mark_of_kept(self, kept: bytes) -> str:
        text = references.nameless(kept.decode("utf-8", "surrogateescape"))
        return self.keyring.fingerprint(_bytes_of(text).hex(), "config")


def path_of(device_id: str) -> str:
    """A device's file in the repository: in one of 256 folders, its id made safe for a name."""
    raw = device_id.encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(raw).hexdigest()
    name = quote(raw, safe="")
    return f"{digest[:2]}/{name if len(name) <= _LONGEST_NAME else digest}.config"


def _version(device_id: str, one: Revision) -> Version:
    return Version(device_id, one.at, one.mark, one.author, one.cause, one.commit, one.blob)


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
