"""What planning needs: antennas and heights, cost parts, mobile sites, buildings, calibrations,
scenarios, and where a deployment came from.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "building",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("geometry", sa.LargeBinary(), nullable=False),
        sa.Column("west", sa.Double(), nullable=False),
        sa.Column("south", sa.Double(), nullable=False),
        sa.Column("east", sa.Double(), nullable=False),
        sa.Column("north", sa.Double(), nullable=False),
        sa.Column("height_m", sa.Double(), nullable=True),
        sa.Column("wall", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_building")),
    )
    with op.batch_alter_table("building") as batch_op:
        batch_op.create_index(batch_op.f("ix_building_west"), ["west"], unique=False)

    op.create_table(
        "calibration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("offset_db", sa.Double(), nullable=False),
        sa.Column("exponent", sa.Double(), nullable=False),
        sa.Column("sigma_db", sa.Double(), nullable=False),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("held_out_db", sa.Double(), nullable=True),
        sa.Column("surveys", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration")),
    )
    op.create_table(
        "scenario",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_scenario_plan_id_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scenario")),
        sa.UniqueConstraint("name", name=op.f("uq_scenario_name")),
    )
    with op.batch_alter_table("neighbourhood") as batch_op:
        batch_op.add_column(sa.Column("no_internet", sa.Double(), nullable=True))
    with op.batch_alter_table("site") as batch_op:
        batch_op.add_column(sa.Column("cost_parts", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("height_m", sa.Double(), nullable=True))
        batch_op.add_column(
            sa.Column("indoor", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column("timetable", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("radio") as batch_op:
        batch_op.add_column(sa.Column("channel", sa.Integer(), nullable=True))
        for name in ("power_dbm", "antenna_dbi", "azimuth_deg", "beamwidth_deg", "tilt_deg"):
            batch_op.add_column(sa.Column(name, sa.Double(), nullable=True))
    with op.batch_alter_table("deployment") as batch_op:
        batch_op.add_column(sa.Column("plan_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("scenario", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(
            sa.Column("accepted_by", sa.String(), nullable=False, server_default="")
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_deployment_plan_id_plan"), "plan", ["plan_id"], ["id"]
        )
