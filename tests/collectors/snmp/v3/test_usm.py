"""Keys, digests and ciphers against the RFCs' examples and against pysnmp."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.type.univ import OctetString
from pysnmp.proto.secmod import rfc3414  # noqa: F401 - first: the next one imports in a circle
from pysnmp.proto.secmod.eso.priv import aes192, aes256
from pysnmp.proto.secmod.rfc3414.auth import hmacmd5, hmacsha
from pysnmp.proto.secmod.rfc3414.priv import des
from pysnmp.proto.secmod.rfc3826.priv import aes
from pysnmp.proto.secmod.rfc7860.auth import hmacsha2

from collectors.snmp.commands import probe
from collectors.snmp.model import Usm
from collectors.snmp.v3.usm import (
    DecryptionError,
    KeyRing,
    decrypt,
    digest,
    encrypt,
    has_two_forms,
    password_to_key,
)
from farola.snmp import AUTH_PROTOCOLS, PRIV_PROTOCOLS
from inventory.commands.credentials import CHOICES

ENGINE = bytes.fromhex("000000000000000000000002")
SHA2 = hmacsha2.HmacSha2
AUTH = {
    "md5": (hmacmd5.HmacMd5(), hmacmd5.HmacMd5.SERVICE_ID),
    "sha1": (hmacsha.HmacSha(), hmacsha.HmacSha.SERVICE_ID),
    "sha224": (SHA2(SHA2.SHA224_SERVICE_ID), SHA2.SHA224_SERVICE_ID),
    "sha256": (SHA2(SHA2.SHA256_SERVICE_ID), SHA2.SHA256_SERVICE_ID),
    "sha384": (SHA2(SHA2.SAH384_SERVICE_ID), SHA2.SAH384_SERVICE_ID),
    "sha512": (SHA2(SHA2.SHA512_SERVICE_ID), SHA2.SHA512_SERVICE_ID),
}
PRIV = {
    ("des", False): des.Des(),
    ("aes128", False): aes.Aes(),
    ("aes192", False): aes192.AesBlumenthal192(),
    ("aes256", False): aes256.AesBlumenthal256(),
    ("aes192", True): aes192.Aes192(),
    ("aes256", True): aes256.Aes256(),
}
CLOCK = (7, 123_456)
PAIRS = [(a, p, c) for a in AUTH for p, c in PRIV]


@pytest.mark.parametrize(
    ("name", "key", "localized"),
    [("md5", "9faf3283884e92834ebc9847d8edd963", "526f5eed9fcce26f8964c2930787d82b"),
     ("sha1", "9fb5cc0381497b3793528939ff788d5d79145211",
      "6695febc9288e36282235fc7151f128497b38f3f")],
)  # fmt: skip
def test_passwords_become_the_keys_of_the_rfc(name, key, localized):
    """RFC 3414, A.3."""
    assert password_to_key(name, b"maplesyrup").hex() == key
    usm = Usm("x", name, "maplesyrup")
    assert KeyRing().localize(usm, ENGINE).auth.hex() == localized


@pytest.mark.parametrize(("auth", "priv", "cisco"), PAIRS)
def test_keys_are_those_of_pysnmp(auth, priv, cisco):
    service, service_id = AUTH[auth]
    cipher = PRIV[priv, cisco]
    mine = KeyRing().localize(Usm("x", auth, "maplesyrup", priv, "pancakes"), ENGINE, cisco)
    master = service.hash_passphrase(b"maplesyrup")
    assert mine.auth == bytes(service.localize_key(master, OctetString(ENGINE)))
    master = cipher.hash_passphrase(service_id, b"pancakes")
    assert mine.priv == bytes(cipher.localize_key(service_id, master, OctetString(ENGINE)))


@pytest.mark.parametrize(("auth", "priv", "cisco"), PAIRS[: len(PRIV)])
def test_what_one_encrypts_the_other_reads(auth, priv, cisco):
    cipher = PRIV[priv, cisco]
    key = KeyRing().localize(Usm("x", auth, "maplesyrup", priv, "pancakes"), ENGINE, cisco).priv
    plain = b"\x30\x0e" + b"scoped PDU now"
    secret, salt = encrypt(priv, key, plain, CLOCK)
    theirs = cipher.decrypt_data(OctetString(key), (*CLOCK, OctetString(salt)), OctetString(secret))
    assert bytes(theirs)[: len(plain)] == plain
    secret, salt = cipher.encrypt_data(OctetString(key), (*CLOCK, None), plain)
    assert decrypt(priv, key, bytes(secret), bytes(salt), CLOCK)[: len(plain)] == plain


def test_no_salt_is_used_twice():
    key = bytes(16)
    for priv in ("des", "aes128"):
        assert len({encrypt(priv, key, b"x", CLOCK)[1] for _ in range(500)}) == 500


@given(st.sampled_from(sorted(PRIV_PROTOCOLS)), st.binary(max_size=80), st.binary(max_size=12))
def test_no_ciphertext_raises_anything_else(priv, secret, salt):
    with contextlib.suppress(DecryptionError):
        decrypt(priv, bytes(PRIV_PROTOCOLS[priv]), secret, salt, CLOCK)


def test_a_password_is_hashed_once_for_all_engines(monkeypatch):
    hashed: list[bytes] = []

    def count(name, password):
        hashed.append(password)
        return password_to_key(name, password)

    monkeypatch.setattr("collectors.snmp.v3.usm.password_to_key", count)
    ring, usm = KeyRing(), Usm("x", "sha256", "maplesyrup", "aes256", "pancakes")
    keys = {ring.localize(usm, bytes([n]) * 12).priv for n in range(100)}
    assert len(keys) == 100
    assert sorted(hashed) == [b"maplesyrup", b"pancakes"]


def test_only_short_keys_have_two_forms():
    def both(auth, priv):
        return has_two_forms(Usm("x", auth, "p" * 8, priv, "p" * 8))

    assert both("md5", "aes192")
    assert both("sha1", "aes256")
    assert both("sha224", "aes256")
    assert not both("sha1", "aes128")
    assert not both("sha256", "aes256")
    assert not has_two_forms(Usm("x"))


def test_keys_show_in_no_repr():
    usm = Usm("x", "sha256", "maplesyrup", "aes256", "pancakes")
    keys = KeyRing().localize(usm, ENGINE)
    assert keys.auth.hex() not in repr(keys)
    assert repr(keys.priv) not in repr(keys)
    assert "maplesyrup" not in repr(usm)


@pytest.mark.parametrize("auth", AUTH_PROTOCOLS)
def test_a_digest_has_the_length_of_its_protocol(auth):
    assert len(digest(auth, b"k" * 20, b"message")) == AUTH_PROTOCOLS[auth]


def test_credentials_and_options_take_the_protocols_there_are():
    options = {one.name: one.type for one in probe.params}
    for half, protocols in (("auth", AUTH_PROTOCOLS), ("priv", PRIV_PROTOCOLS)):
        assert CHOICES[f"snmp_{half}_protocol"] == tuple(protocols)
        assert list(options[f"{half}_protocol"].choices) == list(protocols)
        for name in protocols:
            usm = Usm("u", "sha1", "a" * 8, "aes128", "b" * 8)
            usm = replace(usm, **{f"{half}_protocol": name})
            assert KeyRing().localize(usm, b"engine").priv
