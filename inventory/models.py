"""The inventory's tables (SQLAlchemy 2). Only this room and its migrations see them whole;
`provisioning` and `web` use the tables of changes and people through a session.

Positions are WGS84 degrees; geometries are WKB in WGS84 (longitude, latitude). Instants are
UTC, stored without a zone.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, MetaData, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


def utcnow() -> datetime:
    """Now in UTC, without a zone, as the tables keep it."""
    return datetime.now(UTC).replace(tzinfo=None)


class Base(DeclarativeBase):
    """Base of all tables; constraints are named so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {dict[str, Any]: JSON, bytes: LargeBinary}  # noqa: RUF012 - SQLAlchemy's own form


class Fact(Base):
    """A fact about the whole city, by name: for instance that it is simulated."""

    __tablename__ = "fact"
    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[dict[str, Any]]


class Neighbourhood(Base):
    """A polygon that figures are kept for (an AGEB, a ward, a census tract)."""

    __tablename__ = "neighbourhood"
    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    name: Mapped[str]
    borough: Mapped[str | None] = mapped_column(index=True)
    geometry: Mapped[bytes]
    population: Mapped[float | None]
    """Residents; None where nobody counted them."""
    deprivation: Mapped[float | None]
    """As published; `high_is_worse` tells its direction."""
    high_is_worse: Mapped[bool] = mapped_column(default=True)
    grade: Mapped[str | None]
    """The publisher's own grade, where there is one."""
    no_internet: Mapped[float | None]
    """Share of residents without Internet at home, 0..100 %."""


class Site(Base):
    """A place that carries devices, or could: candidate → planned → building → live → retired."""

    __tablename__ = "site"
    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    name: Mapped[str]
    lat: Mapped[float]
    lon: Mapped[float]
    kind: Mapped[str] = mapped_column(default="fixed")
    """`fixed` or `mobile`."""
    status: Mapped[str] = mapped_column(default="live", index=True)
    programme: Mapped[str | None]
    borough: Mapped[str | None]
    cost: Mapped[float | None]
    source: Mapped[str] = mapped_column(default="imported")
    """`imported`, `netbox`, `generated` or `simulated`."""
    cost_parts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What `cost` is made of, in the city's currency: `hardware`, `power`, `backhaul`, `fee`."""
    height_m: Mapped[float | None]
    """Of the antennas above ground."""
    indoor: Mapped[bool] = mapped_column(default=False)
    timetable: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """When a mobile site is here: {"days": "mon-fri", "from": "09:00", "to": "14:00"}, …"""


class Credential(Base):
    """Secrets for signing in to devices and servers, encrypted; the key lies elsewhere."""

    __tablename__ = "credential"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    username: Mapped[str] = mapped_column(default="")
    secrets: Mapped[bytes]
    """Encrypted JSON: `password`, `private_key`, `token`, `snmp_community`, `snmp_version` (1, 2c
    or 3), `snmp_user`, `snmp_auth_protocol`, `snmp_auth_password`, `snmp_priv_protocol`,
    `snmp_priv_password`, as they apply.
    """
    changed_at: Mapped[datetime] = mapped_column(default=utcnow)


class Device(Base):
    """An access point, switch or controller."""

    __tablename__ = "device"
    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    name: Mapped[str]
    role: Mapped[str] = mapped_column(default="access-point")
    platform: Mapped[str | None]
    """NAPALM's name of the driver, for instance `openwrt`."""
    management_address: Mapped[str | None]
    ssh_port: Mapped[int] = mapped_column(default=22)
    snmp_port: Mapped[int] = mapped_column(default=161)
    snmp_answers_from: Mapped[str] = mapped_column(default="")
    """Other addresses that its SNMP agent may answer from, with blanks between them."""
    controller_id: Mapped[str | None] = mapped_column(ForeignKey("device.id"))
    """The controller that reports it; such a device needs no management address."""
    mac: Mapped[str | None]
    serial: Mapped[str | None]
    credential_name: Mapped[str | None] = mapped_column(ForeignKey("credential.name"))
    host_key: Mapped[str | None]
    """The SSH host key enrolled for it, as `ssh-ed25519 AAAA…`."""
    status: Mapped[str] = mapped_column(default="live", index=True)
    """`planned`, `live` or `retired`."""
    model: Mapped[str] = mapped_column(default="")
    """As the device tells it: `TP-Link EAP225-Outdoor v1`."""
    firmware: Mapped[str] = mapped_column(default="")
    """The version that it told last."""
    source: Mapped[str] = mapped_column(default="imported")
    placements: Mapped[list[Placement]] = relationship(cascade="all, delete-orphan")
    radios: Mapped[list[Radio]] = relationship(cascade="all, delete-orphan")


class Placement(Base):
    """At which site a device was, from when until when; moving it never rewrites history."""

    __tablename__ = "placement"
    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"), index=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), index=True)
    valid_from: Mapped[datetime] = mapped_column(default=utcnow)
    valid_to: Mapped[datetime | None]


class Radio(Base):
    """A radio of a device."""

    __tablename__ = "radio"
    __table_args__ = (UniqueConstraint("device_id", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"), index=True)
    name: Mapped[str]
    band: Mapped[str] = mapped_column(default="")
    """`2.4`, `5` or `6` (GHz)."""
    channel: Mapped[int | None]
    power_dbm: Mapped[float | None]
    """Conducted, without the antenna's gain."""
    antenna_dbi: Mapped[float | None]
    azimuth_deg: Mapped[float | None]
    """Where a sector antenna looks, clockwise from north; None is all around."""
    beamwidth_deg: Mapped[float | None]
    tilt_deg: Mapped[float | None]
    bssids: Mapped[list[Bssid]] = relationship(cascade="all, delete-orphan")


class Bssid(Base):
    """A network that a radio of ours announces."""

    __tablename__ = "bssid"
    bssid: Mapped[str] = mapped_column(String(17), primary_key=True)
    """Lower case, with colons."""
    radio_id: Mapped[int] = mapped_column(ForeignKey("radio.id"), index=True)
    ssid: Mapped[str | None]


class DeviceGroup(Base):
    """A group that a device is in, for variables and for choosing: "plazas", "canary", …"""

    __tablename__ = "device_group"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"), primary_key=True)


class Uplink(Base):
    """Which switch port a device hangs on, as LLDP or a person said: what it depends on."""

    __tablename__ = "uplink"
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"), primary_key=True)
    upstream_id: Mapped[str] = mapped_column(ForeignKey("device.id"), index=True)
    upstream_port: Mapped[str] = mapped_column(default="")
    source: Mapped[str] = mapped_column(default="lldp")
    """`lldp` or `manual`; LLDP never overwrites what a person said."""
    seen_at: Mapped[datetime] = mapped_column(default=utcnow)


class Discovered(Base):
    """An SNMP agent that a search of the network found, or an access point that a controller told
    of: a proposal, until a person accepts it into the inventory or ignores it.
    """

    __tablename__ = "discovered"
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    """`address:port`, or `controller id/access point key`."""
    address: Mapped[str] = mapped_column(default="")
    port: Mapped[int] = mapped_column(default=161)
    family: Mapped[str] = mapped_column(default="")
    name: Mapped[str] = mapped_column(default="")
    mac: Mapped[str] = mapped_column(default="")
    serial: Mapped[str] = mapped_column(default="")
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What else it said: description, sysObjectID, model, radios."""
    credential_name: Mapped[str | None]
    controller_id: Mapped[str | None]
    device_id: Mapped[str | None] = mapped_column(index=True)
    """The inventory's device that it is; None while unknown."""
    status: Mapped[str] = mapped_column(default="new", index=True)
    """`new`, `known`, `accepted` or `ignored`."""
    first_seen: Mapped[datetime] = mapped_column(default=utcnow)
    last_seen: Mapped[datetime] = mapped_column(default=utcnow)


class Lease(Base):
    """Who does a job that only one may do, and until when unless it says so again."""

    __tablename__ = "lease"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    holder: Mapped[str]
    term: Mapped[int] = mapped_column(default=1)
    """Grows each time the holder changes."""
    since: Mapped[datetime] = mapped_column(default=utcnow)
    """When this term began."""
    expires_at: Mapped[datetime]


class Maintenance(Base):
    """A time in which a device, a site or the whole city may be down without blame."""

    __tablename__ = "maintenance"
    id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str]
    """`device`, `site` or `city`."""
    place: Mapped[str] = mapped_column(default="", index=True)
    """Id of the device or site; empty for the city."""
    start: Mapped[datetime]
    end: Mapped[datetime | None]
    """None while it is open."""
    reason: Mapped[str] = mapped_column(default="")
    author: Mapped[str] = mapped_column(default="")


class Event(Base):
    """Something that happened: a trap, an import, a push. Rooms on one floor talk through these."""

    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utcnow, index=True)
    kind: Mapped[str] = mapped_column(index=True)
    device_id: Mapped[str | None] = mapped_column(index=True)
    site_id: Mapped[str | None]
    actor: Mapped[str] = mapped_column(default="farola")
    text: Mapped[str] = mapped_column(default="")
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Reaction(Base):
    """A device whose config is to be looked at, as events asked for it (`farola reactor`)."""

    __tablename__ = "reaction"
    __table_args__ = (Index("ix_reaction_urgency_due", "urgency", "due"),)
    device_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    """Of an event: it may be gone from the inventory since."""
    since: Mapped[datetime]
    due: Mapped[datetime]
    urgency: Mapped[int]
    """0 goes first."""
    base: Mapped[str] = mapped_column(default="")
    """Mark of the config that what it has now is compared with."""
    causes: Mapped[list[int]] = mapped_column(JSON, default=list)
    """Ids of the last events that asked."""
    events: Mapped[int] = mapped_column(default=0)
    """How many asked."""
    tries: Mapped[int] = mapped_column(default=0)


class Deployment(Base):
    """An accepted site on its way to live, with the forecast it will be held against."""

    __tablename__ = "deployment"
    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    status: Mapped[str] = mapped_column(default="accepted")
    """accepted → provisioned → live → measured, or withdrawn."""
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id"))
    scenario: Mapped[str] = mapped_column(default="")
    accepted_by: Mapped[str] = mapped_column(default="")
    forecast: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    live_at: Mapped[datetime | None]


class Usage(Base):
    """Use of the portal at a place in a period, as somebody's system reported it."""

    __tablename__ = "usage"
    __table_args__ = (UniqueConstraint("scope", "place", "kind", "start", "end"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str]
    """`site`, `neighbourhood` or `city`."""
    place: Mapped[str] = mapped_column(default="")
    """Id of the site or neighbourhood; empty for the whole city."""
    kind: Mapped[str] = mapped_column(default="")
    """Kind of site where the figures are split by it; empty is all kinds together."""
    start: Mapped[date]
    end: Mapped[date]
    """First day after the period."""
    users: Mapped[float | None]
    sessions: Mapped[float | None]
    minutes: Mapped[float | None]
    source: Mapped[str] = mapped_column(default="imported")


class SurveyReading(Base):
    """A beacon heard on a walk. Networks that are not ours are kept under a keyed pseudonym."""

    __tablename__ = "survey_reading"
    __table_args__ = (UniqueConstraint("survey", "bssid", "at", "lat", "lon"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    survey: Mapped[str] = mapped_column(index=True)
    bssid: Mapped[str] = mapped_column(index=True)
    """Our own BSSID, else `p:` and a keyed pseudonym."""
    ssid: Mapped[str | None]
    """Only the city's own network name is kept."""
    at: Mapped[datetime]
    channel: Mapped[int | None]
    rssi_dbm: Mapped[float | None]
    security: Mapped[str | None]
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    accuracy_m: Mapped[float | None]


class PlanRecord(Base):
    """A plan as `farola plan` printed it, with what went into it."""

    __tablename__ = "plan"
    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    parameters: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any]]


class User(Base):
    """A person who signs in to the console."""

    __tablename__ = "user"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(default="viewer")
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
