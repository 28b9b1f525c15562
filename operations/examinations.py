"""What `farola doctor` looks at: one function a check, none changes anything."""

from __future__ import annotations

import errno
import importlib.util
import platform
import resource
import shutil
import socket
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from farola.errors import FarolaError, SettingsError
from farola.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from farola.keys import Keyring
    from timeseries.sizing import Growth

PACKAGES = (
    "alembic", "ansible_runner", "argon2", "cryptography", "dns", "flask", "gufo",
    "influxdb_client", "napalm", "netjsonconfig", "netmiko", "numpy", "openpyxl",
    "prometheus_client", "pynetbox", "pyogrio", "pyproj", "pysmi", "pysnmp", "scapy", "scipy",
    "shapely", "sqlalchemy", "waitress",
)  # fmt: skip
WANTED_FILES = 4096
WANTED_BUFFER = 4 * 2**20
"""Bytes asked for: with the kernel's doubling room for MOST_AT_ONCE full replies."""
MOST_AT_ONCE, REPLY_BYTES = 4096, 2304
"""Devices that the sweep asks at once at most, and what the kernel counts for a reply that fills a
packet (`collectors.snmp.sweep.pacing`)."""
TRAP_PORT = 162
RMEM_MAX = Path("/proc/sys/net/core/rmem_max")
FREE_BYTES = 2 * 10**9
LEAST_FREE = 10**6
"""With less than this nothing is written any more."""
MOST_NAMED = 5
GB = 10**9


@dataclass(frozen=True)
class Check:
    """One thing looked at. `remedy` says how to get what is missing."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    required: bool = True


def python() -> Check:
    """The interpreter is one that Farola runs on."""
    version = platform.python_version()
    fine = sys.version_info >= (3, 11)
    return Check("python", fine, f"Python {version}", "install Python 3.11 or newer")


def packages() -> Check:
    """Every library that Farola imports is installed."""
    absent = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    return Check(
        "packages", not absent,
        f"not installed: {', '.join(absent)}" if absent else f"{len(PACKAGES)} libraries",
        "run `make demo` or `pip install farola` again in this environment",
    )  # fmt: skip


def ansible() -> Check:
    """ansible-playbook stands beside this interpreter, or on the path."""
    beside = Path(sys.executable).parent / "ansible-playbook"
    found = str(beside) if beside.exists() else shutil.which("ansible-playbook")
    if importlib.util.find_spec("ansible") is None:
        found = None
    return Check(
        "ansible", found is not None, found or "ansible-playbook was not found",
        "pip install ansible-core in Farola's environment",
    )  # fmt: skip


def git() -> Check:
    """git, which keeps what devices ran."""
    found = shutil.which("git")
    return Check("git", found is not None, found or "git was not found", "apt-get install git")


def playbooks() -> Check:
    """The playbooks came with the installation."""
    folder = _folder("playbooks")
    found = folder is not None and (folder / "push.yml").is_file()
    return Check(
        "playbooks", found, str(folder) if found else "push.yml is not installed",
        "install Farola again: the wheel carries them",
    )  # fmt: skip


def front_end() -> Check:
    """The console's bundled files; without them pages are plain."""
    folder = _folder("web")
    manifest = folder / "static" / "dist" / "manifest.json" if folder else None
    found = manifest is not None and manifest.is_file()
    return Check(
        "front end", found, str(manifest.parent) if found and manifest else "was not built",
        "install Farola again (`pip install .`, or `pip install -e .`): the install builds it",
        required=False,
    )  # fmt: skip


def open_files() -> Check:
    """Enough open files for a push to many devices at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    fine = soft == resource.RLIM_INFINITY or soft >= WANTED_FILES
    return Check(
        "open files", fine, f"at most {soft:,}", "ulimit -n 65536, or LimitNOFILE= in the unit",
        required=False,
    )  # fmt: skip


def receive_buffer() -> Check:
    """The kernel lets a UDP socket hold the answers of a whole city."""
    try:
        limit = int(RMEM_MAX.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return Check("receive buffer", True, "not told by this kernel", required=False)
    # The kernel grants twice what is asked for, and counts a reply with its own bookkeeping.
    at_once = 2 * limit // REPLY_BYTES
    return Check(
        "receive buffer", limit >= WANTED_BUFFER,
        f"UDP sockets may hold {limit:,} bytes: some {min(at_once, MOST_AT_ONCE):,} devices are "
        "asked at once",
        f"a city of 35,000 wants {MOST_AT_ONCE:,}: sysctl -w net.core.rmem_max={2 * WANTED_BUFFER},"
        " and the same line in /etc/sysctl.d to keep it",
        required=False,
    )  # fmt: skip


def trap_port() -> Check:
    """Whether this user may receive traps where devices send them, on UDP port 162."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", TRAP_PORT))
    except PermissionError:
        return Check(
            "trap port", False, f"only root may listen on UDP port {TRAP_PORT}",
            "AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit, or sysctl -w "
            f"net.ipv4.ip_unprivileged_port_start={TRAP_PORT}, or let devices send to another port",
            required=False,
        )  # fmt: skip
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        said = "taken: by a collector of ours, or by snmptrapd?" if taken else str(error.strerror)
        return Check(
            "trap port", taken, f"UDP port {TRAP_PORT}: {said}", "try `farola collect run --traps`",
            required=False,
        )  # fmt: skip
    return Check("trap port", True, f"UDP port {TRAP_PORT} may be listened on", required=False)


def echo() -> Check:
    """Whether this user may send ICMP echo requests, for devices without SNMP."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
        except OSError:
            continue
        return Check("ICMP echo", True, "echo requests may be sent", required=False)
    return Check(
        "ICMP echo", False, "devices without SNMP cannot be watched by this user",
        'sysctl -w net.ipv4.ping_group_range="0 2147483647", or AmbientCapabilities=CAP_NET_RAW',
        required=False,
    )  # fmt: skip


def settings_of(home: Path) -> Settings:
    """The city's settings; SettingsError where there is none or they are wrong."""
    return load_settings(home)


def key(settings: Settings) -> Check:
    """The key is there, is one, is readable by its owner alone and lies outside the home."""
    from farola.keys import Keyring, key_path

    path = key_path(settings.home)
    try:
        keyring = Keyring(settings.home)
    except SettingsError as error:
        return Check("key", False, str(error))
    stored = _secrets(settings)
    shut = [name for name, token in stored if not _opens(keyring, token)]
    if shut:
        names = ", ".join(shut[:MOST_NAMED]) + (", …" if len(shut) > MOST_NAMED else "")
        return Check(
            "key", False,
            f"{len(shut)} of {len(stored)} credentials were encrypted with another key: {names}",
            "set FAROLA_KEY_FILE to that key, or store them again: farola device credential NAME",
        )  # fmt: skip
    if path.is_relative_to(settings.home):
        return Check(
            "key", False, f"{path} lies beside the secrets it opens",
            "move it out of the home and set FAROLA_KEY_FILE", required=False,
        )  # fmt: skip
    return Check("key", True, f"{path}, its owner's alone")


def _secrets(settings: Settings) -> list[tuple[str, bytes]]:
    """All credentials' names and secrets; none where there is no inventory to look in."""
    from sqlalchemy import select

    from inventory.db import open_inventory
    from inventory.models import Credential

    if not settings.database_url and not (settings.home / "inventory.db").exists():
        return []
    opened = open_inventory(settings)
    try:
        with opened.session() as session:
            rows = session.execute(
                select(Credential.name, Credential.secrets).order_by(Credential.name)
            )
            return [(name, token) for name, token in rows]
    except FarolaError:  # that the inventory cannot be read is another check's to tell
        return []
    finally:
        opened.close()


def _opens(keyring: Keyring, token: bytes) -> bool:
    try:
        keyring.decrypt(token)
    except SettingsError:
        return False
    return True


def inventory(settings: Settings) -> Check:
    """The inventory can be opened and its tables are those of this version."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from inventory.db import MIGRATIONS, open_engine

    engine = open_engine(settings.inventory_url)
    shown = engine.url.render_as_string()
    if _absent(engine):  # to connect would make an empty one
        return Check("inventory", False, f"{shown} does not exist", "farola init")
    wanted = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    try:
        with engine.connect() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    if present != wanted:
        return Check(
            "inventory", False, f"{shown} is at migration {present or 'none'}, not {wanted}",
            "farola init",
        )  # fmt: skip
    return Check("inventory", True, f"{shown}, migration {present}")


def store(settings: Settings) -> Check:
    """The store can be reached, and what it says of itself."""
    from timeseries import open_store

    opened = open_store(settings, hasty=True)
    try:
        health = opened.health()
    finally:
        opened.close()
    free = shutil.disk_usage(settings.home).free
    if health.ok and free < LEAST_FREE:
        return Check(
            "store", False, f"{sized(free)} free at {settings.home}: nothing can be written",
            "free space on that disk",
        )  # fmt: skip
    return Check("store", health.ok, health.detail)


def city_growth(settings: Settings) -> Growth:
    """How the city's SQLite files grow, by the devices of its inventory."""
    from inventory import queries
    from inventory.db import open_inventory
    from timeseries.sizing import growth

    opened = open_inventory(settings)
    try:
        with opened.session() as session:
            devices = queries.counts(session)["devices"]
    finally:
        opened.close()
    return growth(settings.home / "series", devices, settings.store, datetime.now(UTC))


def store_size(settings: Settings) -> Check:
    """Whether the embedded store is right for so many devices."""
    if settings.store.kind != "sqlite":
        return Check("store size", True, "InfluxDB is made for any size", required=False)
    grows = city_growth(settings)
    return Check(
        "store size", grows.fits, str(grows),
        f"from some {grows.limit:,} on InfluxDB is the better store (farola init --influx URL), "
        "or give raw rows more room: [store] raw_gb",
        required=False,
    )  # fmt: skip


def disk(settings: Settings) -> Check:
    """Room for what will be measured."""
    free = shutil.disk_usage(settings.home).free
    return Check(
        "disk", free >= FREE_BYTES, f"{sized(free)} free at {settings.home}",
        "make room: series and inventory grow here", required=False,
    )  # fmt: skip


def profiles(settings: Settings) -> Check:
    """The device families that the home adds can be used."""
    from collectors.snmp.book import book_of

    book = book_of(settings.home)
    if book.faults:
        more = f" (and {len(book.faults) - 1} more)" if len(book.faults) > 1 else ""
        return Check(
            "profiles", False, book.faults[0] + more, "mend or remove it: see docs/profiles.md"
        )
    return Check("profiles", True, ", ".join(book.own) or "Farola's own alone")


def sized(size: float) -> str:
    """Bytes for people: in MB where gigabytes would say little."""
    return f"{size / 1e9:,.1f} GB" if size >= GB else f"{size / 1e6:,.1f} MB"


def _folder(package: str) -> Path | None:
    """Where a package of a higher floor lies; found by path, never imported."""
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) if places else None


def _absent(engine: Engine) -> bool:
    database = engine.url.database
    if engine.dialect.name != "sqlite" or not database:
        return False
    return not Path(database).exists()
