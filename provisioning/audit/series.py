"""What an audit found, as rows of the series `config`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from farola.settings import Settings
from provisioning.audit.comparing import Finding
from provisioning.audit.drift import CAUSES
from timeseries import clean_batch, open_store
from timeseries.base import Value


def write(settings: Settings, findings: Sequence[Finding], at: datetime | None = None) -> int:
    """Write a row a device that answered; returns how many.

    StoreError, InventoryError or SettingsError where the store cannot take them.
    """
    asked = [one for one in findings if one.state in {"clean", "drifted"}]
    if not asked:
        return 0
    counts = [one.drifted.counts() for one in asked]
    stamp = int((at or datetime.now(UTC)).timestamp() * 1000)
    fields: dict[str, Sequence[Value]] = {
        "drifted": [one.state == "drifted" for one in asked],
        "rules_failed": [len(one.rules_failed) for one in asked],
        **{cause.replace("-", "_"): [c.get(cause, 0) for c in counts] for cause in CAUSES},
    }
    batch = clean_batch("config", [stamp] * len(asked), {"device": [f.device_id for f in asked]},
                        fields)  # fmt: skip
    store = open_store(settings)
    try:
        return store.write([batch])
    finally:
        store.close()
