"""TLS to an InfluxDB server: verified by a city's own authority, and never silently unverified."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from farola.errors import StoreError
from farola.settings import StoreSettings
from tests.timeseries.nginx_config import IN_ITS_FOLDER
from timeseries import Batch
from timeseries.influx import InfluxStore

pytestmark = pytest.mark.service
POLL = [Batch("device", [1_700_000_000_000], {"device": ["ap-1"]}, {"clients": [3]})]
NGINX = (
    IN_ITS_FOLDER
    + """\
  access_log off;
{servers}
}}
"""
)
SERVER = """\
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/{name}.crt;
    ssl_certificate_key {folder}/{name}.key;
    location / {{ proxy_pass {influxd}; }}
  }}
"""
Issued = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def certificate(
    name: str, folder: Path, host: str = "", by: Issued | None = None, days: int = 2
) -> Issued:
    """A certificate in `folder`/`name`.crt (its key beside it), signed by itself unless `by`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Test {name}")])
    signer = by[1] if by else key
    start = datetime.now(UTC) - timedelta(days=10)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by[0].subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(datetime.now(UTC) + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not host, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if host:
        built = built.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False
        )
    issued = built.sign(signer, SHA256())
    (folder / f"{name}.crt").write_bytes(issued.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return issued, key


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def urls(
    needs_program: Callable[[str, str], str], influxd: str, folder: Path
) -> Iterator[dict[str, str]]:
    """Addresses of nginx with four certificates, an influxd with a database `safe` behind it."""
    authority = certificate("authority", folder)
    certificate("good", folder, "localhost", authority)
    certificate("elsewhere", folder, "elsewhere.example", authority)
    certificate("old", folder, "localhost", authority, days=-1)
    certificate("alone", folder, "localhost")
    names = ("good", "elsewhere", "old", "alone")
    ports = {}
    for name in names:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports[name] = probe.getsockname()[1]
    servers = "".join(
        SERVER.format(port=ports[name], name=name, folder=folder, influxd=influxd) for name in names
    )
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, servers=servers))
    urllib.request.urlopen(f"{influxd}/query", data=b"q=CREATE DATABASE safe", timeout=9).close()
    program = needs_program("nginx", "nginx-light")
    server = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", ports["good"]), 1).close()
            break
        except OSError:
            assert server.poll() is None, (folder / "error.log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
    yield {name: f"https://localhost:{port}" for name, port in ports.items()}
    server.terminate()
    server.wait(10)


def store(url: str, ca_file: Path | str = "") -> InfluxStore:
    return InfluxStore(
        StoreSettings("influx", url, "v1", "safe/autogen", ca_file=str(ca_file)), "a-token"
    )


def test_a_server_signed_by_the_citys_own_authority(urls: dict[str, str], folder: Path) -> None:
    trusting = store(urls["good"], folder / "authority.crt")
    assert trusting.write(POLL) == 1
    assert trusting.latest("device", ["clients"]).fields == {"clients": [3]}
    assert trusting.health().ok


def test_a_certificate_that_signs_itself_is_trusted_when_named(
    urls: dict[str, str], folder: Path
) -> None:
    assert store(urls["alone"], folder / "alone.crt").write(POLL) == 1


@pytest.mark.parametrize(
    ("server", "ca_file", "why", "remedy"),
    [
        ("good", "", "unable to get local issuer", "[store] ca_file"),
        ("alone", "", "self-signed certificate", "[store] ca_file"),
        ("alone", "authority.crt", "self-signed certificate", "[store] ca_file"),
        ("elsewhere", "authority.crt", "'localhost'", "for the name in [store] url"),
        ("old", "authority.crt", "expired", "in date"),
    ],
)
def test_who_cannot_be_verified_gets_neither_rows_nor_token(
    urls: dict[str, str], folder: Path, server: str, ca_file: str, why: str, remedy: str
) -> None:
    doubting = store(urls[server], ca_file and folder / ca_file)
    with pytest.raises(StoreError) as caught:
        doubting.write(POLL)
    told = str(caught.value)
    assert f"{urls[server]} cannot be reached: its certificate is not to be trusted: " in told
    assert why in told
    assert remedy in told
    assert "\n" not in told
    assert "_ssl" not in told
    health = doubting.health()
    assert (health.ok, health.detail) == (False, told)


@pytest.mark.parametrize(
    ("text", "word"),
    [(None, "No such file"), ("rubbish", "holds no certificate"), ("", "holds no")],
)
def test_a_ca_file_that_is_none(tmp_path: Path, text: str | None, word: str) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StoreError, match=rf"ca_file .*ca\.pem .*{word}"):
        store("https://localhost:1", path).write(POLL)
