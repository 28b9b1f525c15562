"""The secrets of kept configs: encrypted in the inventory by keyed fingerprint, those that a stored
credential holds too, as a credential changes and an old config does not.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from farola.errors import ProvisioningError, SettingsError
from farola.keys import Keyring
from farola.settings import load_settings
from inventory.change_models import ConfigSecret
from inventory.db import Inventory, open_inventory
from inventory.models import Credential, Device, utcnow
from provisioning.history.secret_references import Reference, Seal, references, uci_escaped

PURPOSE = "config-secret"
OPEN_FIELDS = frozenset({
    "snmp_version", "snmp_user", "snmp_auth_protocol", "snmp_priv_protocol", "public_key",
})  # fmt: skip
"""Fields of a credential that are no secret."""
_FRESH_S = 30.0
_CHUNK = 400


@dataclass
class _Credentials:
    """What stored credentials hold, by fingerprint, and of which credential each device is."""

    names: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    values: list[str] = field(default_factory=list, repr=False)
    at: float = 0.0


class KeptSecrets:
    """The secrets of one home's kept configs."""

    def __init__(self, home: Path, keyring: Keyring) -> None:
        self._home, self._keyring = home, keyring
        self._inventory: Inventory | None = None
        self._credentials = _Credentials(at=-_FRESH_S)
        self._stored: set[str] = set()

    def fingerprint(self, raw: str) -> str:
        """Keyed pseudonym of a secret as it stands in a config."""
        return self._keyring.fingerprint(raw.encode("utf-8", "surrogateescape").hex(), PURPOSE)

    def known(self) -> Sequence[str]:
        """Secrets of stored credentials as they may stand in a config."""
        return self._fresh().values

    def sealer(self, device_ids: Iterable[str]) -> Sealer:
        """What takes the secrets out of these devices' configs."""
        credentials = self._fresh()
        own: dict[str, str] = {}
        wanted = list(device_ids)
        if credentials.names:
            with self._session() as session:
                for start in range(0, len(wanted), _CHUNK):
                    rows = session.execute(
                        select(Device.id, Device.credential_name).where(
                            Device.id.in_(wanted[start : start + _CHUNK]),
                            Device.credential_name.is_not(None),
                        )
                    )
                    own.update({device_id: str(name) for device_id, name in rows})
        return Sealer(self, credentials.names, own, credentials.values)

    def store(self, secrets: dict[str, str]) -> None:
        """Keep secrets by fingerprint, encrypted, those that are not kept yet."""
        new = {print_: raw for print_, raw in secrets.items() if print_ not in self._stored}
        if not new:
            return
        with self._session() as session:
            have = set(_chunked(session, list(new)))
        rows = [
            {"fingerprint": print_, "value": self._encrypt(raw), "first_seen": utcnow()}
            for print_, raw in new.items()
            if print_ not in have
        ]
        try:
            if rows:
                with self._session() as session:
                    session.execute(insert(ConfigSecret), rows)
        except IntegrityError:  # another process kept one of them meanwhile
            for row in rows:
                self._store_one(row)
        self._stored |= set(new)

    def _store_one(self, row: dict[str, object]) -> None:
        with self._session() as session:
            if session.get(ConfigSecret, row["fingerprint"]) is None:
                session.execute(insert(ConfigSecret), [row])

    def values(self, kept: str) -> Callable[[Reference], str]:
        """What stood in the place of each reference in `kept`.

        ProvisioningError, once asked, for one that is lost.
        """
        wanted = sorted({one.fingerprint for one in references(kept)})
        found: dict[str, bytes] = {}
        if wanted:
            with self._session() as session:
                for start in range(0, len(wanted), _CHUNK):
                    rows = session.execute(
                        select(ConfigSecret.fingerprint, ConfigSecret.value).where(
                            ConfigSecret.fingerprint.in_(wanted[start : start + _CHUNK])
                        )
                    )
                    for print_, value in rows:
                        found[print_] = value

        def value_of(one: Reference) -> str:
            token = found.get(one.fingerprint)
            if token is None:
                raise ProvisioningError(
                    f"the inventory lost the secret {one.fingerprint} of a kept config: restore "
                    "the table config_secret from a backup"
                )
            return self._decrypt(token)

        return value_of

    def current(self, name: str, field_: str) -> str | None:
        """What the credential holds now; None if there is none of that name, or no such field."""
        from inventory import queries

        with self._session() as session:
            if session.get(Credential, name) is None:
                return None
            return queries.secrets(session, name, self._keyring).values.get(field_)

    def _fresh(self) -> _Credentials:
        if time.monotonic() - self._credentials.at < _FRESH_S:
            return self._credentials
        found = _Credentials(at=time.monotonic())
        with self._session() as session:
            rows = session.execute(
                select(Credential.name, Credential.secrets).order_by(Credential.name)
            )
            for name, token in rows:
                try:
                    values = json.loads(self._keyring.decrypt(token))
                except (SettingsError, ValueError):
                    continue  # made with another key: no config's secret is looked up by it
                for field_, value in values.items():
                    if field_ in OPEN_FIELDS or not isinstance(value, str) or not value:
                        continue
                    for raw in dict.fromkeys((value, uci_escaped(value))):
                        found.names.setdefault(self.fingerprint(raw), []).append((name, field_))
                        found.values.append(raw)
        self._credentials = found
        return found

    def _encrypt(self, raw: str) -> bytes:
        data = base64.b64encode(raw.encode("utf-8", "surrogateescape"))
        return self._keyring.encrypt(data.decode())

    def _decrypt(self, token: bytes) -> str:
        data = base64.b64decode(self._keyring.decrypt(token))
        return data.decode("utf-8", "surrogateescape")

    @contextmanager
    def _session(self) -> Iterator[Session]:
        if self._inventory is None:
            self._inventory = open_inventory(load_settings(self._home))
        with self._inventory.session() as session:
            yield session


@dataclass
class Sealer:
    """Takes secrets out of configs, and keeps them all at once."""

    secrets: KeptSecrets
    names: dict[str, list[tuple[str, str]]]
    own: dict[str, str]
    """Each device's own credential."""
    known: Sequence[str] = field(repr=False)
    taken: dict[str, str] = field(default_factory=dict, repr=False)

    def for_device(self, device_id: str) -> Seal:
        """What takes a secret out of the device's config."""

        def seal(raw: str) -> str:
            print_ = self.secrets.fingerprint(raw)
            self.taken[print_] = raw
            holders = self.names.get(print_, [])
            mine = [one for one in holders if one[0] == self.own.get(device_id)]
            name, field_ = next(iter([*mine, *holders]), ("", ""))
            return str(Reference(name, field_, print_))

        return seal

    def store(self) -> None:
        """Keep what was taken out."""
        self.secrets.store(self.taken)


def _chunked(session: Session, prints: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(prints), _CHUNK):
        yield from session.scalars(
            select(ConfigSecret.fingerprint).where(
                ConfigSecret.fingerprint.in_(prints[start : start + _CHUNK])
            )
        )
