"""Stored events: how rooms on one floor tell each other what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from inventory.models import Event, utcnow


def record(
    session: Session,
    kind: str,
    text: str,
    *,
    device_id: str | None = None,
    site_id: str | None = None,
    actor: str = "farola",
    detail: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> Event:
    """Store an event of `kind` (for instance `trap.config-changed`); never put a secret in it."""
    event = Event(
        kind=kind, text=text, device_id=device_id, site_id=site_id, actor=actor,
        detail=detail or {}, at=at or utcnow(),
    )  # fmt: skip
    session.add(event)
    return event
