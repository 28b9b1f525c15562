"""A made-up city for the console's tests: seeded, small, with all that the pages can show.

Neighbourhoods are cells of a jittered grid; deprivation grows to the east, access points are
dense in the middle. Measured data, a plan made by the real planner, two changes, events.
"""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import shapely
from sqlalchemy.orm import Session

from coverage_maps.plan.planning import make_plan
from coverage_maps.plan.plans import PlanRequest
from coverage_maps.telling.exports import plan_json
from farola.keys import create_key
from farola.settings import City, Settings, write_settings
from inventory import events, queries
from inventory.change_models import Change, ChangeDevice
from inventory.db import open_inventory, upgrade
from inventory.models import (
    Bssid,
    Device,
    Neighbourhood,
    Placement,
    PlanRecord,
    Radio,
    Site,
)
from timeseries import Batch, open_store
from web.users import set_user

NAME, PASSWORD = "admin", "correct horse battery"
SIDE = 9
STEP = 0.004
WEST, SOUTH = -60.70, -31.66
BOROUGHS = ("Ribera", "Centro", "Las Lomas")
GRADES = ("Very low", "Low", "Medium", "High", "Very high")
DIFF = """--- wireless (running)
+++ wireless (candidate)
@@ -4,7 +4,9 @@
 config wifi-iface 'public'
 \toption device 'radio0'
-\toption ssid 'Old Free WiFi'
+\toption ssid 'Free WiFi'
+\toption isolate '1'
 \toption encryption 'none'
@@ -1,3 +1,3 @@
 config system
-\toption hostname 'OpenWrt'
+\toption hostname '{name}'
"""


def make_city(settings: Settings, seed: int = 7) -> None:
    """Fill the home of `settings`."""
    settings.home.mkdir(parents=True, exist_ok=True)
    write_settings(settings)
    create_key(settings.home)
    inventory = open_inventory(settings)
    upgrade(inventory.engine)
    rng = random.Random(seed)
    with inventory.session() as session:
        queries.set_fact(session, "simulated", {"seed": seed})
        set_user(session, NAME, PASSWORD, "admin")
        _neighbourhoods(session, rng)
        devices = _devices(session, rng)
        session.flush()
        _plan(session)
        _changes(session, devices)
        events.record(session, "import", "81 neighbourhoods imported", actor="farola")
        events.record(session, "trap.config-changed", "configuration changed on the device",
                      device_id=devices[3].id)  # fmt: skip
    inventory.close()
    _measure(settings, [device.id for device in devices], rng)


def city_settings(home: object) -> Settings:
    """Settings of the made city."""
    city = City("Santa Farola", "America/Argentina/Cordoba", "Santa Farola Libre", "AR")
    return Settings(home=home, city=city)  # type: ignore[arg-type]


def _neighbourhoods(session: Session, rng: random.Random) -> None:
    def shift() -> float:
        return rng.uniform(-0.28, 0.28)

    corners = np.array(
        [
            [
                (WEST + STEP * (i + shift()), SOUTH + STEP * (j + shift()))
                for j in range(SIDE + 1)
            ]
            for i in range(SIDE + 1)
        ]
    )  # fmt: skip
    for i in range(SIDE):
        for j in range(SIDE):
            if math.hypot(i - 4, j - 4) > 5.2:
                continue
            ring = [corners[i, j], corners[i + 1, j], corners[i + 1, j + 1], corners[i, j + 1]]
            worse = i / SIDE * 0.7 + rng.random() * 0.3
            session.add(
                Neighbourhood(
                    id=f"N{i}{j}", name=f"Barrio {i * SIDE + j + 1}", borough=BOROUGHS[i // 3],
                    geometry=shapely.to_wkb(shapely.Polygon(ring)),
                    population=None if (i, j) == (4, 0) else float(rng.randint(900, 5200)),
                    deprivation=worse, high_is_worse=True, grade=GRADES[min(int(worse * 5), 4)],
                )
            )  # fmt: skip


def _devices(session: Session, rng: random.Random) -> list[Device]:
    devices = []
    for n in range(120):
        lon = WEST + STEP * (3.6 + rng.gauss(0, 1.7))
        lat = SOUTH + STEP * (4.5 + rng.gauss(0, 1.9))
        borough = BOROUGHS[min(max(int((lon - WEST) / STEP) // 3, 0), 2)]
        site = Site(
            id=f"site-{n:03}", name=f"{('Plaza', 'School', 'Clinic', 'Library')[n % 4]} {n + 1}",
            lat=lat, lon=lon, borough=borough, programme="Plazas", source="simulated",
        )  # fmt: skip
        device = Device(
            id=f"ap-{n:03}", name=f"ap-{borough[:3].lower()}-{n:03}", platform="openwrt",
            management_address=f"10.20.{n // 250}.{n % 250 + 1}", mac=f"02:fa:20:00:00:{n:02x}",
            serial=f"FA{n:05}", host_key="ssh-ed25519 AAAA" if n % 9 else None,
            source="simulated",
        )  # fmt: skip
        session.add_all([site, device])
        session.flush()
        session.add(Placement(device_id=device.id, site_id=site.id,
                              valid_from=datetime(2025, 3, 1, 12)))  # fmt: skip
        for name, band, digit in (("radio0", "2.4", "a"), ("radio1", "5", "b")):
            radio = Radio(device_id=device.id, name=name, band=band)
            radio.bssids = [Bssid(bssid=f"02:fa:2{digit}:00:00:{n:02x}", ssid="Santa Farola Libre")]
            session.add(radio)
        devices.append(device)
    return devices


def _plan(session: Session) -> None:
    plan = make_plan(
        queries.neighbourhoods(session), queries.sites(session), [], PlanRequest(sites=15)
    )
    session.add(PlanRecord(parameters={"sites": 15, "radius_m": 80.0}, result=plan_json(plan)))


def _changes(session: Session, devices: list[Device]) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    meant = (("New network name and client isolation", "failed"), ("Spring channels", "prepared"))
    for number, (reason, status) in enumerate(meant):
        change = Change(
            author="marta", reason=reason, status=status,
            created_at=now - timedelta(hours=3 - number),
            pushed_at=now - timedelta(hours=2) if status == "failed" else None,
        )  # fmt: skip
        for n, device in enumerate(devices[:60]):
            became, why = "pushed", ""
            if status == "prepared":
                became = "pending"
            elif n == 17:
                became, why = "failed", "uci refused line 14 of wireless: unknown option 'isolat'"
            elif n == 31:
                became, why = (
                    "unreachable",
                    f"{device.management_address}:22 did not answer in 10 s",
                )
            elif n % 20 == 5:
                became = "unchanged"
            diff = "" if became in {"unchanged", "unreachable"} else DIFF.format(name=device.name)
            change.devices.append(
                ChangeDevice(device_id=device.id, candidate=b"sealed", diff=diff, status=became,
                             message=why)
            )  # fmt: skip
        session.add(change)


def moved(clients: int | None, each: float, rng: random.Random) -> int | None:
    """Bytes that so many clients moved; None where nobody could ask."""
    return None if clients is None else int(clients * each * rng.uniform(0.6, 1.4))


def _measure(settings: Settings, ids: list[str], rng: random.Random) -> None:
    """A day of polls, every 10 minutes: some devices down, one poll gap of two hours."""
    now = int(datetime.now(UTC).timestamp()) // 60 * 60_000
    times = [now - k * 600_000 for k in range(144)][::-1]
    times = [t for k, t in enumerate(times) if not 40 <= k < 52]
    zone = settings.city.zone
    batches = []
    for t in times:
        hour = datetime.fromtimestamp(t / 1000, zone).hour
        crowd = (
            3 + 14 * math.exp(-(((hour - 18) / 4) ** 2)) + 6 * math.exp(-(((hour - 12) / 3) ** 2))
        )
        hours_ago = (now - t) / 3_600_000
        down = [
            (n % 23 == 7 and hours_ago < 5) or (n == 2 and 8 < hours_ago < 10)
            for n in range(len(ids))
        ]
        clients = [None if d else max(0, int(rng.gauss(crowd, 2.5))) for d in down]
        count = len(ids)
        batches += [
            Batch("device", [t] * count, {"device": ids}, {
                "answered": [not d for d in down],
                "state": ["down" if d else "up" for d in down], "clients": clients,
                "rtt_ms": [None if d else 6 + rng.random() * 20 for d in down],
                "cpu_pct": [None if d else 18.0 + rng.random() * 20 for d in down],
                "mem_pct": [None if d else 41.0 for d in down]}),
            Batch("interface", [t] * count, {"device": ids, "interface": ["wan"] * count}, {
                "rx_bytes": [moved(c, 9e6, rng) for c in clients],
                "tx_bytes": [moved(c, 2e6, rng) for c in clients],
                "interval_s": [600.0] * count}),
        ]  # fmt: skip
    for radio, band, channel in (("radio0", "2.4", 6), ("radio1", "5", 44)):
        count = len(ids)
        batches.append(
            Batch("radio", [now] * count,
                  {"device": ids, "radio": [radio] * count, "band": [band] * count},
                  {"clients": [rng.randint(0, 9) for _ in ids], "channel": [channel] * count,
                   "utilization_pct": [rng.uniform(5, 60) for _ in ids],
                   "noise_dbm": [-95.0] * count, "tx_power_dbm": [20.0] * count})
        )  # fmt: skip
    store = open_store(settings)
    store.write(batches)
    store.close()
