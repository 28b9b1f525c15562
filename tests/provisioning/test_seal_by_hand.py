"""A turn that an engineer's own playbook takes checks the seal as a push does."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from farola.errors import ProvisioningError
from farola.keys import Keyring
from inventory.change_models import Change
from inventory.db import open_inventory
from provisioning.change import changes
from provisioning.change.changes import Prepared
from provisioning.turn.apply import apply_change
from tests.provisioning.conftest import City


@pytest.mark.parametrize("edit", [{"needs_approval": False}, {"kind": "restore"}, {"author": "x"}])
def test_a_change_whose_own_part_was_edited_is_not_applied(
    adopted: City, edit: dict[str, object]
) -> None:
    home = adopted.settings.home
    inventory = open_inventory(adopted.settings)
    with inventory.session() as session:
        number = changes.freeze(
            session, [Prepared("ap1", "pending", "package system\n")], Keyring(home),
            author="ana", reason="", needs_approval=True,
        )  # fmt: skip
    with pytest.raises(ProvisioningError, match="waits for another person"):
        apply_change(home, number, "ap1")
    with inventory.session() as session:
        session.execute(update(Change).where(Change.id == number).values(**edit))
    inventory.close()
    with pytest.raises(ProvisioningError, match="not as it was frozen"):
        apply_change(home, number, "ap1")
