"""What collecting needs: uplinks, discovered agents, leases, maintenance, controllers, and the
configs to look at.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "discovered",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mac", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("credential_name", sa.String(), nullable=True),
        sa.Column("controller_id", sa.String(), nullable=True),
        sa.Column("device_id", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("first_seen", sa.DateTime(), nullable=False),
        sa.Column("last_seen", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_discovered")),
    )
    with op.batch_alter_table("discovered") as batch_op:
        batch_op.create_index(batch_op.f("ix_discovered_device_id"), ["device_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_discovered_status"), ["status"], unique=False)

    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("term", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "maintenance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("start", sa.DateTime(), nullable=False),
        sa.Column("end", sa.DateTime(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance")),
    )
    with op.batch_alter_table("maintenance") as batch_op:
        batch_op.create_index(batch_op.f("ix_maintenance_place"), ["place"], unique=False)

    op.create_table(
        "reaction",
        sa.Column("device_id", sa.String(length=200), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("due", sa.DateTime(), nullable=False),
        sa.Column("urgency", sa.Integer(), nullable=False),
        sa.Column("base", sa.String(), nullable=False),
        sa.Column("causes", sa.JSON(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_reaction")),
    )
    with op.batch_alter_table("reaction") as batch_op:
        batch_op.create_index("ix_reaction_urgency_due", ["urgency", "due"], unique=False)

    op.create_table(
        "uplink",
        sa.Column("device_id", sa.String(length=200), nullable=False),
        sa.Column("upstream_id", sa.String(length=200), nullable=False),
        sa.Column("upstream_port", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_uplink_device_id_device")
        ),
        sa.ForeignKeyConstraint(
            ["upstream_id"], ["device.id"], name=op.f("fk_uplink_upstream_id_device")
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_uplink")),
    )
    with op.batch_alter_table("uplink") as batch_op:
        batch_op.create_index(batch_op.f("ix_uplink_upstream_id"), ["upstream_id"], unique=False)

    with op.batch_alter_table("device") as batch_op:
        batch_op.add_column(
            sa.Column("snmp_answers_from", sa.String(), nullable=False, server_default="")
        )
        batch_op.add_column(sa.Column("controller_id", sa.String(length=200), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_device_controller_id_device"), "device", ["controller_id"], ["id"]
        )
