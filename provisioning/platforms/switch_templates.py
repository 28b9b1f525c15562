"""Templates of switches: Jinja2 in the home, `templates/ROLE.PLATFORM.j2`, rendered from intent.

A template runs in Jinja's sandbox, a variable that nobody set is an error, and a value that could
begin a line of its own is refused: what somebody chose as a name must not become a command.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from farola.errors import ProvisioningError
from inventory.records import DeviceRecord
from provisioning.intent.meant import MASK, Intent
from provisioning.intent.values import host_name

BAD = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of characters that end lines, move a cursor, or are none."""


def template_path(home: Path, device: DeviceRecord, platform: str) -> Path:
    """Where the template of a switch lies."""
    return home / "templates" / f"{device.role}.{platform}.j2"


def render_switch(home: Path, device: DeviceRecord, platform: str, intent: Intent) -> str:
    """The config lines that intent makes of the switch's template.

    Raises
    ------
    ProvisioningError
        There is no template, it cannot be rendered, or a value that it names cannot stand in a
        line.
    """
    from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    path = template_path(home, device, platform)
    if not path.is_file():
        raise ProvisioningError(f"no template for {device.role} on {platform}: write {path}")
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(home / "templates"), undefined=StrictUndefined,
        autoescape=False, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    named = {
        "id": device.id, "name": device.name, "role": device.role, "platform": platform,
        "site": device.site_id or "", "address": device.management_address or "",
        "host_name": host_name(device.name or device.id),
    }  # fmt: skip
    values = {name: one.value for name, one in intent.items()}
    sources = {name: f"{name} (from {one.source})" for name, one in intent.items()}
    for name, value in {**values, **named}.items():
        for text in _texts(value):
            if bad := next((c for c in text if unicodedata.category(c) in BAD), None):
                raise ProvisioningError(
                    f"{device.id}: {sources.get(name, f'its {name}')} holds the control character "
                    f"U+{ord(bad):04X}: take it out"
                )
    try:
        text = environment.get_template(path.name).render({**values, "device": named})
    except (TemplateError, RecursionError, ValueError, TypeError, ArithmeticError) as error:
        line = getattr(error, "lineno", None)
        where = f"{path}{f':{line}' if line else ''}"
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ProvisioningError(f"{where}: {device.id}: {reason}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProvisioningError(f"{path}: cannot be read: {error}") from None
    if not text.strip():
        raise ProvisioningError(f"{path}: {device.id}: it renders to nothing")
    return text if text.endswith("\n") else text + "\n"


def preview(
    home: Path, device: DeviceRecord, platform: str, intent: Intent
) -> tuple[str, frozenset[str]]:
    """The same with secrets as •••, and the variables that the template may name."""
    text = render_switch(home, device, platform, intent)
    secrets = {str(one.value) for one in intent.values() if one.secret and one.value}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    written = template_path(home, device, platform).read_text(encoding="utf-8")
    return text, frozenset(n for n in intent if re.search(rf"\b{re.escape(n)}\b", written))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple):
        return tuple(text for one in value for text in _texts(one))
    return ()
