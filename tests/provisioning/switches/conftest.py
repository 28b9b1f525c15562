"""A home with one switch, and the stand-in for EOS that it stands for."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from farola.keys import Keyring, create_key
from farola.settings import City as CitySettings
from farola.settings import Settings, write_settings
from inventory import queries
from inventory.db import open_inventory, upgrade
from inventory.models import Device, Placement, Site
from inventory.records import DeviceRecord, Secrets
from tests.provisioning.conftest import LENIENT, Run
from tests.provisioning.switches.eapi import Server, show

PASSWORD = "pretend-cabinet"
TEMPLATE = """\
hostname {{ device.host_name }}
{% for number in vlans.split() %}
vlan {{ number }}
{% endfor %}
interface Ethernet1
   description {{ pole }}
username ops secret {{ ops_password }}
"""
VARIABLES = """\
city: {vlans: "10 20", pole: "pole 8", ops_password: {credential: ops, field: password}}
"""


@dataclass(frozen=True)
class Cabinet:
    """A home and its switch."""

    home: Path
    run: Run
    server: Server
    settings: Settings

    def write(self, template: str | None) -> None:
        """Write the switch's template, or take it away."""
        path = self.home / "templates" / "switch.eos.j2"
        if template is None:
            path.unlink()
        else:
            path.write_text(template, encoding="utf-8")

    @property
    def running(self) -> str:
        """What the switch runs."""
        return show(self.server.switch.running)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(PASSWORD)
    yield running
    running.close()


@pytest.fixture
def cabinet(home: Path, run: Run, server: Server) -> Cabinet:
    settings = Settings(
        home, CitySettings("Prueba", "America/Mexico_City", "libre", "MX"), provisioning=LENIENT
    )
    write_settings(settings)
    create_key(home)
    (home / "templates").mkdir()
    (home / "templates" / "switch.eos.j2").write_text(TEMPLATE, encoding="utf-8")
    # Another template that names the same variables: they stay known whatever a test writes.
    (home / "templates" / "other.eos.j2").write_text(TEMPLATE, encoding="utf-8")
    (home / "variables.yaml").write_text(VARIABLES, encoding="utf-8")
    inventory = open_inventory(settings)
    upgrade(inventory.engine)
    with inventory.session() as session:
        keyring = Keyring(home)
        values = {"password": PASSWORD, "api_transport": "http"}
        queries.store_secrets(session, "switches", "admin", values, keyring)
        queries.store_secrets(session, "ops", "ops", {"password": "hunter2-hunter2"}, keyring)
        session.add(Site(id="s1", name="Plaza 1", lat=19.4, lon=-99.1))
        session.flush()
        session.add(
            Device(
                id="SW-1", name="Cabinet 3", role="switch", platform="eos",
                management_address="127.0.0.1", ssh_port=server.port, credential_name="switches",
                placements=[Placement(site_id="s1")],
            )
        )  # fmt: skip
    inventory.close()
    return Cabinet(home, run, server, settings)


DEVICE = DeviceRecord(
    id="SW-1", name="Cabinet 3", role="switch", platform="eos", management_address="127.0.0.1",
    ssh_port=22, snmp_port=161, mac=None, serial=None, credential_name="switches", host_key=None,
    status="live", source="import", site_id=None,
)  # fmt: skip


@pytest.fixture
def device() -> Callable[..., DeviceRecord]:
    return lambda **values: replace(DEVICE, **values)


@pytest.fixture
def secrets() -> Callable[..., Secrets]:
    def made(**values: Any) -> Secrets:
        return Secrets("switches", "admin", {"password": PASSWORD, **values})

    return made


@pytest.fixture(scope="session")
def certificate(
    tmp_path_factory: pytest.TempPathFactory, needs_program: Callable[[str, str], str]
) -> tuple[str, str]:
    """A self-signed certificate for 127.0.0.1 and its key, as PEM files."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    openssl = needs_program("openssl", "openssl")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=switch", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key),
         "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    return str(cert), str(key)
