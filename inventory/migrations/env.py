"""Alembic's entry: migrates on the connection that `inventory.db.upgrade` hands over."""

from alembic import context

from inventory import change_models, planning_models  # noqa: F401 - their tables are in Base.metadata
from inventory.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
