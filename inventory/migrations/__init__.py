"""Alembic migrations of the inventory, run by `farola init`."""
