"""Who may push a change, of all that share an inventory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from farola.errors import ProvisioningError
from farola.settings import City, Settings
from provisioning.change.locks import alone, free


def test_of_two_homes_with_one_inventory_one_pushes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'inventory.db'}"
    one = Settings(tmp_path / "one", City("Prueba", "UTC", "x", "MX"), database_url=url)
    other = replace(one, home=tmp_path / "other")
    with alone(one, 7), free(other, 7) as held, free(other, 8) as another:
        assert (held, another) == (False, True)
        with pytest.raises(ProvisioningError, match="is being pushed by another process"):
            alone(other, 7).__enter__()
    with free(other, 7) as held:
        assert held
