"""One InfluxDB server over HTTP, through influxdb-client's ApiClient: signs in, retries, and turns
every failure into one line that holds no secret.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from farola.errors import FarolaError, StoreError
from farola.settings import StoreSettings
from timeseries.influx_told import cut, refusal, told_in, unreachable

CONNECT_MS, READ_MS = 5_000, 60_000
FIGURES_MS = 600_000
"""How long an answer with figures of a whole city may take."""
GZIP = 31
"""What zlib calls the format."""
RETRIES = 3
"""Times a request is sent again after 429, 5xx or a lost connection; rows keep their times, so
sending them twice is harmless."""
LONGEST_PAUSE_S = 5.0
SHUT_OUT = {401, 403}
RENEW_S = 30.0
"""After a refused sign-in the credential is read anew, not oftener."""
HASTY_MS, HASTY_QUERY_MS = 4_000, 20_000
"""How long somebody who looks how the server is waits for a sign of life, then for an answer from
one that lives; nothing is sent again."""
CHUNK_ROWS = 10_000


class RefusedError(StoreError):
    """The server answered, and refused; `status` is HTTP's (0: a query with an error in it)."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Server:
    """What the store needs of a server: write, query, version."""

    def __init__(
        self,
        settings: StoreSettings,
        token: str,
        renew: Callable[[], str] | None = None,
        *,
        hasty: bool = False,
    ) -> None:
        """Check the settings; nothing is connected yet. StoreError if they name no server.

        `renew` reads the credential anew where the server shuts us out; FarolaError keeps the old
        one. With `hasty` a server that hangs is given up after HASTY_MS.
        """
        try:
            where = urlsplit(settings.url)
            usable = where.scheme in {"http", "https"} and where.hostname and where.port != 0
        except ValueError:  # a port that is no number, a bracket left open
            usable = False
        if not usable:
            raise StoreError(
                "[store] url is not the address of an InfluxDB server: "
                "write it as http://127.0.0.1:8086"
            )
        if where.username or where.password or where.query or where.fragment:
            raise StoreError(
                "[store] url must not carry a user, a password or a query: store a credential "
                "and name it in [store] credential"
            )
        if settings.api not in {"v1", "v2"}:
            raise StoreError(f"[store] api is {settings.api!r}: use 'v1' or 'v2'")
        if settings.auth not in {"token", "basic", "bearer"}:
            raise StoreError(f"[store] auth is {settings.auth!r}: use 'token', 'basic' or 'bearer'")
        if re.search(r"[^\x21-\x7e]", token) and settings.auth != "basic":
            raise StoreError("the store's token has characters that no token has: store it again")
        self.url = settings.url.rstrip("/")
        self.bucket = settings.bucket
        self.database, _, self.policy = settings.bucket.partition("/")
        self.org = settings.org
        self.rollup_bucket = settings.rollup_bucket or settings.bucket
        if not self.database or self.rollup_bucket.startswith("/"):
            raise StoreError("[store] bucket is empty: use database/policy, as farola/autogen")
        self.is_far = not _on_this_machine(where.hostname or "")
        """Whether bytes are dearer than CPU: then bodies and answers are gzipped."""
        self._settings = settings
        self._token = token
        self._renew = renew
        self._renewed_at = -RENEW_S
        self._tries = 1 if hasty else RETRIES + 1
        self._hasty = hasty

    def sign_in_again(self) -> bool:
        """Read the credential anew; whether it is another one, which is used from now on."""
        if self._renew is None:
            return False
        self._renewed_at = time.monotonic()
        try:
            token = self._renew()
        except FarolaError:
            return False
        if token == self._token:
            return False
        self._token = token
        # Not closed: another thread may be in the middle of an answer.
        self.__dict__.pop("_client", None)
        return True

    def described(self) -> str:
        """Where rows go, for people."""
        return f"{self.bucket} at {self.url}"

    def write(
        self, body: bytes, bucket: str = "", gzipped: bool = False, *, once: bool = False
    ) -> None:
        """Send line protocol with millisecond times; returns when the server acknowledged it.

        `gzipped` says that `body` is that already; else it is done here for a server far away.
        With `once` it is not sent again after a fault.
        """
        bucket = bucket or self.bucket
        place = dict(zip(("db", "rp"), bucket.partition("/")[::2], strict=True))
        path = "/write"
        if self._settings.api == "v2":
            place = {"bucket": bucket, "org": self.org}
            path = "/api/v2/write"
        place["precision"] = "ms"
        if self.is_far and not gzipped:
            # Level 1: a twentieth of the CPU of influxdb-client's level 9.
            squeezer = zlib.compressobj(1, zlib.DEFLATED, GZIP)
            body, gzipped = squeezer.compress(body) + squeezer.flush(), True
        headers = {"Content-Encoding": "gzip"} if gzipped else {}
        self._call("POST", path, place, body, headers=headers, once=once)

    def try_write(self, bucket: str = "") -> None:
        """Write a comment: StoreError where path, sign-in or database is not right.

        1.x acknowledges it; should another version call it malformed, it got that far.
        """
        try:
            self.write(b"# farola", bucket)
        except RefusedError as error:
            if error.status not in {400, 422}:
                raise

    def query(
        self, statement: str, bucket: str = "", wait_ms: int = READ_MS
    ) -> list[dict[str, Any]]:
        """Run an InfluxQL statement that reads; return the series of its answer.

        One that may take longer than others is not asked again when its time is over: the server
        may still be at it.
        """
        return self._asked("GET", statement, bucket or self.bucket, wait_ms)

    def command(self, statement: str) -> None:
        """Run an InfluxQL statement that changes the server (1.x)."""
        self._asked("POST", statement, self.database, READ_MS)

    def version(self) -> str:
        """The version that the server tells, or `of unknown version`."""
        answer = self._call("GET", "/ping", {})
        return str(answer.headers.get("X-Influxdb-Version", "of unknown version")).lstrip("v")

    def close(self) -> None:
        """Close the connections, if any were opened."""
        if "_client" in self.__dict__:
            self._client.close()
            del self.__dict__["_client"]

    def client(self) -> Any:
        """influxdb-client's own, signed in, for the APIs that InfluxDB 2.x has beside rows."""
        return self._client

    def _tls(self) -> ssl.SSLContext | None:
        """What a server's certificate must be signed by: the machine's own and `ca_file`."""
        if not self.url.startswith("https:"):
            return None
        context = ssl.create_default_context()
        if self._settings.ca_file:
            try:
                context.load_verify_locations(self._settings.ca_file)
            except ssl.SSLError:
                raise StoreError(
                    f"[store] ca_file {self._settings.ca_file} holds no certificate: "
                    "it must be PEM, as -----BEGIN CERTIFICATE-----"
                ) from None
            except OSError as error:
                raise StoreError(
                    f"[store] ca_file {self._settings.ca_file} cannot be read: {error.strerror}"
                ) from None
        return context

    @cached_property
    def _retries(self) -> Any:
        from urllib3.util import Retry

        class Bounded(Retry):
            """A server may ask for a pause, not for an hour."""

            def get_retry_after(self, response: Any) -> float | None:
                asked = super().get_retry_after(response)
                return None if asked is None else min(asked, LONGEST_PAUSE_S)

        return Bounded(
            total=RETRIES,
            connect=1,
            redirect=False,
            other=0,  # a certificate that is not trusted
            allowed_methods=None,
            status_forcelist=(429, 500, 502, 503, 504),
            backoff_factor=0.3,
            raise_on_status=False,
        )

    @cached_property
    def _client(self) -> Any:
        from influxdb_client.client.influxdb_client import InfluxDBClient

        client: Any = InfluxDBClient(
            self.url,
            token=self._token,
            auth_basic=bool(self._token) and self._settings.auth == "basic",
            timeout=(CONNECT_MS, READ_MS),
            ssl_context=self._tls(),
            retries=self._retries,
        )
        if self._token and self._settings.auth == "bearer":
            client.api_client.set_default_header("Authorization", f"Bearer {self._token}")
        return client

    def _asked(
        self, method: str, statement: str, bucket: str, wait_ms: int
    ) -> list[dict[str, Any]]:
        # In chunks, a JSON document a line: whole, an answer is cut at the server's max-row-limit
        # without a sign that could be told from the one it leaves on a series of 10,000 rows.
        place = dict(zip(("db", "rp"), bucket.partition("/")[::2], strict=True))
        place |= {"epoch": "ms", "chunked": "true", "chunk_size": str(CHUNK_ROWS), "q": statement}
        headers = {"Accept-Encoding": "gzip"} if self.is_far else {}
        answer = self._call(method, "/query", place, headers=headers, wait_ms=wait_ms)
        series: list[dict[str, Any]] = []
        more = False
        try:
            for line in answer.data.splitlines():
                for result in json.loads(line)["results"]:
                    if "error" in result:
                        raise RefusedError(self._explained(0, str(result["error"])), 0)
                    series += result.get("series", [])
                    more = bool(result.get("partial"))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise StoreError(
                f"{self.url}/query did not answer as InfluxDB does: check [store] url"
            ) from None
        if more:
            raise StoreError(f"{self.url} cut its answer short: see the server's log, ask again")
        return series

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        wait_ms: int = READ_MS,
        once: bool = False,
    ) -> Any:
        ask = partial(
            self._called, method, path, query, body, headers=headers, wait_ms=wait_ms, once=once
        )
        try:
            return ask()
        except RefusedError as error:
            due = time.monotonic() - self._renewed_at >= RENEW_S
            if error.status not in SHUT_OUT or not due or not self.sign_in_again():
                raise
        return ask()

    def _called(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None,
        *,
        headers: Mapping[str, str] | None,
        wait_ms: int,
        once: bool,
    ) -> Any:
        again = {"retries": self._retries.new(read=0)} if wait_ms != READ_MS else {}
        if once or self._tries == 1:
            again = {"retries": self._retries.new(total=0)}
        if self._hasty:
            wait_ms = HASTY_QUERY_MS if path == "/query" else HASTY_MS
        with self.explained(1 if once else self._tries):
            answer = self._client.api_client.call_api(
                path,
                method,
                query_params=[(key, value) for key, value in query.items() if value],
                header_params={"Content-Type": "text/plain; charset=utf-8"} | dict(headers or {}),
                body=body or (b"" if method == "POST" else None),
                response_type=None,
                _preload_content=False,
                async_req=False,
                _return_http_data_only=True,
                _request_timeout=(min(CONNECT_MS, wait_ms), wait_ms),
                urlopen_kw=again,
            )
            answer.data  # noqa: B018 - reads all, so that the connection can be used again
        return answer

    @contextmanager
    def explained(self, tries: int = 1) -> Iterator[None]:
        """Turn the client's failures into one line: RefusedError, or StoreError without answer.
        `tries`: how often a request is sent before it counts as failed.
        """
        from influxdb_client.client.exceptions import InfluxDBError
        from influxdb_client.rest import ApiException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ApiException as error:
            if not error.status:  # how the client hands on a failed TLS handshake
                raise StoreError(self._unreachable(error)) from None
            told = self._explained(error.status, cut(self._clean(told_in(error.body))), tries)
            raise RefusedError(told, error.status) from None
        except HTTPError as error:
            raise StoreError(self._unreachable(error)) from None
        except InfluxDBError as error:  # an organisation that is not there
            told = f"{self.described()}: {error}; check [store] org and what the token may do"
            raise StoreError(self._clean(told)) from None

    def _unreachable(self, error: Exception) -> str:
        return self._clean(unreachable(self.url, error))

    def _explained(self, status: int, told: str, tries: int = 1) -> str:
        why = refusal(status, told, tries=tries, database=self.database)
        return self._clean(f"{self.described()}: {why}")

    def _clean(self, text: str) -> str:
        """One line without the token, in case a server or a proxy repeats it."""
        secrets = {self._token, base64.b64encode(self._token.encode()).decode()}
        secrets |= {self._token.partition(":")[2]}
        for secret in sorted(secrets - {""}, key=len, reverse=True):
            text = text.replace(secret, "•••")
        return " ".join(text.split())


def _on_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
