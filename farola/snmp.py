"""The protocols of SNMPv3 users, by the names that credentials and options give them."""

from __future__ import annotations

AUTH_PROTOCOLS = {"md5": 12, "sha1": 12, "sha224": 16, "sha256": 24, "sha384": 32, "sha512": 48}
"""By name, which is also the hash's in hashlib: bytes of the digest that travel (RFC 3414, 7860).
"""
PRIV_PROTOCOLS = {"des": 16, "aes128": 16, "aes192": 24, "aes256": 32}
"""By name: bytes of key (RFC 3414, 3826)."""
MIN_PASSWORD = 8
"""Characters; shorter ones are refused by RFC 3414, 11.2, and by agents."""
MAX_USER = 32
"""Bytes of a user's name (RFC 3414, 5)."""
