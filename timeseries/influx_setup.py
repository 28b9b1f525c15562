"""Makes on an InfluxDB server what [store] names: databases and retention policies on 1.x, buckets
and the DBRP mappings that InfluxQL reads them through on 2.x. Never shortens what is there.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from farola.errors import StoreError
from farola.settings import Settings
from timeseries.influx_http import RefusedError, Server
from timeseries.influxql import quoted

PROBE = 'SELECT "devices" FROM "poll" WHERE time >= now() - 1h LIMIT 1'
"""Fails where the database is missing or we may not read it (1.6 answers SHOW with nothing)."""
DAY_S = 86_400


def prepare(settings: Settings, token: str = "") -> str:
    """Make the buckets that `[store]` names; return one line saying what was done.

    Where `rollup_bucket` is another than `bucket`, raw rows are kept for `raw_days`; where both
    are one, for ever. A policy or bucket that exists keeps its duration, and the line says so.
    InfluxDB 3 makes a database at the first write. Of all this only 1.6.7 was run.

    Raises
    ------
    StoreError
        The server cannot be reached or refuses.
    """
    store = settings.store
    server = Server(store, token)
    is_apart = server.rollup_bucket != server.bucket
    wanted = {server.bucket: store.raw_days * DAY_S if is_apart else 0}
    wanted.setdefault(server.rollup_bucket, 0)
    try:
        version = server.version()
        if version.startswith("3"):
            names = " and ".join(bucket.partition("/")[0] for bucket in wanted)
            return f"InfluxDB {version} makes {names} at the first write, kept for ever"
        make = _bucket if version.startswith("2") else _policy
        told = [make(server, bucket, seconds) for bucket, seconds in wanted.items()]
        return f"InfluxDB {version} at {server.url}: {'; '.join(told)}"
    finally:
        server.close()


def _policy(server: Server, bucket: str, seconds: int) -> str:
    """1.x: a database, and a retention policy that keeps rows for `seconds` (0: for ever)."""
    database, _, policy = bucket.partition("/")
    policy = policy or "autogen"
    span = f"{seconds}s" if seconds else "INF"
    present = {name for one in server.query("SHOW DATABASES") for (name,) in one.get("values", [])}
    if database not in present:
        server.command(
            f"CREATE DATABASE {quoted(database)} WITH DURATION {span} REPLICATION 1 "
            f"NAME {quoted(policy)}"
        )
        return f"{bucket} is made, {_kept_for(seconds)}"
    found = _durations(server.query(f"SHOW RETENTION POLICIES ON {quoted(database)}"))
    if policy not in found:
        server.command(
            f"CREATE RETENTION POLICY {quoted(policy)} ON {quoted(database)} "
            f"DURATION {span} REPLICATION 1"
        )
        return f"{bucket} is made, {_kept_for(seconds)}"
    told = f"{bucket} is there, {_kept_for(found[policy])}"
    if found[policy] != seconds:
        told += (
            f" (to change that: ALTER RETENTION POLICY {quoted(policy)} ON {quoted(database)} "
            f"DURATION {span})"
        )
    return told


def _durations(answer: list[dict[str, Any]]) -> dict[str, int]:
    """Seconds that each policy keeps rows for; the server writes `720h0m0s`."""
    found = {}
    for one in answer:
        name, kept = one["columns"].index("name"), one["columns"].index("duration")
        for values in one.get("values", []):
            units = {"h": 3600, "m": 60, "s": 1}
            parts = re.findall(r"(\d+)([hms])", values[kept])
            found[values[name]] = sum(int(number) * units[unit] for number, unit in parts)
    return found


def _bucket(server: Server, bucket: str, seconds: int) -> str:
    """2.x: a bucket, and a DBRP mapping; documented, not run. Takes a token that may make them."""
    library: Any = import_module("influxdb_client")  # its functions have no types
    database, _, policy = bucket.partition("/")
    org = server.org
    try:
        with server.explained():
            client = server.client()
            buckets = library.BucketsApi(client)
            found = buckets.find_bucket_by_name(bucket)
            told = "is there, its duration as it was"
            if found is None:
                rules = library.BucketRetentionRules(type="expire", every_seconds=seconds)
                found = buckets.create_bucket(bucket_name=bucket, retention_rules=rules, org=org)
                told = f"is made, {_kept_for(seconds)}"
            mappings = library.DBRPsService(client.api_client)
            present = mappings.get_dbr_ps(org=org, db=database, rp=policy or "autogen").content
            if not any(one.bucket_id == found.id for one in present or []):
                mappings.post_dbrp(
                    library.DBRPCreate(
                        org=org, bucket_id=found.id, database=database,
                        retention_policy=policy or "autogen", default=bucket == server.bucket,
                    )
                )  # fmt: skip
    except RefusedError as error:
        raise StoreError(
            f"{error}; making buckets takes an operator's token: sign in with one once, or run "
            f"`influx bucket create --name {bucket} --retention {seconds}s` and `influx v1 dbrp "
            f"create --db {database} --rp {policy or 'autogen'} --bucket-id ID`"
        ) from None
    except (ValueError, TypeError):  # an answer that the client's models refuse
        raise StoreError(
            f"{server.url}/api/v2 did not answer as InfluxDB 2 does: check [store] url"
        ) from None
    return f"{bucket} {told}"


def _kept_for(seconds: int) -> str:
    if not seconds:
        return "rows kept for ever"
    whole, rest = divmod(seconds, DAY_S)
    return f"rows kept for {whole} days" if not rest else f"rows kept for {seconds / 3600:g} hours"
