"""What a safe rollout needs: waves, approval, freezes, the audit log, drift, secrets of kept configs,
vouchers, rotations, groups of devices.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=True),
        sa.Column("change_id", sa.Integer(), nullable=True),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
        sa.UniqueConstraint("previous", name=op.f("uq_audit_entry_previous")),
    )
    with op.batch_alter_table("audit_entry") as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_entry_action"), ["action"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_entry_change_id"), ["change_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_entry_device_id"), ["device_id"], unique=False)

    op.create_table(
        "config_secret",
        sa.Column("fingerprint", sa.String(length=40), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("first_seen", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_config_secret")),
    )
    op.create_table(
        "freeze",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("start", sa.DateTime(), nullable=False),
        sa.Column("end", sa.DateTime(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_freeze")),
    )
    op.create_table(
        "rotation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("credential_name", sa.String(length=100), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("new_name", sa.String(length=100), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rotation")),
    )
    with op.batch_alter_table("rotation") as batch_op:
        batch_op.create_index(
            batch_op.f("ix_rotation_credential_name"), ["credential_name"], unique=False
        )

    op.create_table(
        "device_group",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("device_id", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_device_group_device_id_device")
        ),
        sa.PrimaryKeyConstraint("name", "device_id", name=op.f("pk_device_group")),
    )
    op.create_table(
        "drift",
        sa.Column("device_id", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=True),
        sa.Column("diff", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_drift_device_id_device")
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_drift")),
    )
    with op.batch_alter_table("drift") as batch_op:
        batch_op.create_index(batch_op.f("ix_drift_state"), ["state"], unique=False)

    op.create_table(
        "rotation_device",
        sa.Column("rotation_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.String(length=200), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_rotation_device_device_id_device")
        ),
        sa.ForeignKeyConstraint(
            ["rotation_id"], ["rotation.id"], name=op.f("fk_rotation_device_rotation_id_rotation")
        ),
        sa.PrimaryKeyConstraint("rotation_id", "device_id", name=op.f("pk_rotation_device")),
    )
    op.create_table(
        "voucher",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.String(length=200), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=False),
        sa.Column("host_key", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_voucher_device_id_device")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voucher")),
    )
    with op.batch_alter_table("voucher") as batch_op:
        batch_op.create_index(batch_op.f("ix_voucher_device_id"), ["device_id"], unique=False)

    with op.batch_alter_table("change") as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(), nullable=False, server_default="config"))
        batch_op.add_column(sa.Column("seal", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(
            sa.Column("needs_approval", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(
            sa.Column("approved_by", sa.String(), nullable=False, server_default="")
        )
        batch_op.add_column(sa.Column("approved_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("policy", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("wave", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("bake_until", sa.DateTime(), nullable=True))
        batch_op.add_column(
            sa.Column("halted_because", sa.String(), nullable=False, server_default="")
        )
        batch_op.add_column(
            sa.Column("held", sa.Boolean(), nullable=False, server_default=sa.false())
        )

    with op.batch_alter_table("change_device") as batch_op:
        batch_op.add_column(sa.Column("goal_hash", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(
            sa.Column("replace", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column("wave", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("commit_id", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("reverts_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("seal", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("settle_s", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("queued_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("actor", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("checks", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("secrets", sa.JSON(), nullable=False, server_default="{}"))

    with op.batch_alter_table("device") as batch_op:
        batch_op.add_column(sa.Column("model", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("firmware", sa.String(), nullable=False, server_default=""))
