"""One InfluxDB server over HTTP, through influxdb-client's ApiClient: signs in, retries, and turns
every failure into one line that holds no secret.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from farola.errors import StoreError
from farola.settings import StoreSettings

CONNECT_MS, READ_MS = 5_000, 60_000
FIGURES_MS = 600_000
"""How long an answer with figures of a whole city may take."""
GZIP = 31
"""What zlib calls the format."""
RETRIES = 3
"""Times a request is sent again after 429, 5xx or a lost connection; rows keep their times, so
sending them twice is harmless."""
LONGEST_PAUSE_S = 5.0
CHUNK_ROWS = 10_000


class RefusedError(StoreError):
    """The server answered, and refused; `status` is HTTP's (0: a query with an error in it)."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Server:
    """What the store needs of a server: write, query, version."""

    def __init__(self, settings: StoreSettings, token: str) -> None:
        """Check the settings; nothing is connected yet. StoreError if they name no server."""
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

    def described(self) -> str:
        """Where rows go, for people."""
        return f"{self.bucket} at {self.url}"

    def write(self, body: bytes, bucket: str = "", gzipped: bool = False) -> None:
        """Send line protocol with millisecond times; returns when the server acknowledged it.

        `gzipped` says that `body` is that already; else it is done here for a server far away.
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
        self._call("POST", path, place, body, headers=headers)

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
    ) -> Any:
        with self.explained():
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
                _request_timeout=(CONNECT_MS, wait_ms),
                urlopen_kw={} if wait_ms == READ_MS else {"retries": self._retries.new(read=0)},
            )
            answer.data  # noqa: B018 - reads all, so that the connection can be used again
        return answer

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn the client's failures into one line: RefusedError, or StoreError without answer."""
        from influxdb_client.client.exceptions import InfluxDBError
        from influxdb_client.rest import ApiException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ApiException as error:
            if not error.status:  # how the client hands on a failed TLS handshake
                raise StoreError(self._unreachable(error)) from None
            told = self._explained(error.status, _cut(self._clean(_told(error.body))))
            raise RefusedError(told, error.status) from None
        except HTTPError as error:
            raise StoreError(self._unreachable(error)) from None
        except InfluxDBError as error:  # an organisation that is not there
            told = f"{self.described()}: {error}; check [store] org and what the token may do"
            raise StoreError(self._clean(told)) from None

    def _unreachable(self, error: Exception) -> str:
        reason = str(getattr(error, "reason", None) or error)
        told = re.sub(r"^\w+Connection\(.*?\): |Failed to establish a new connection: ", "", reason)
        remedy = "start InfluxDB or mend [store] url"
        if "CERTIFICATE_VERIFY_FAILED" in told:
            told = re.sub(r"^.*?certificate verify failed: | \(_ssl\.c:\d+\)'?\)*", "", told)
            told = f"its certificate is not to be trusted: {told}"
            remedy = (
                "name the authority that signed it in [store] ca_file"
                if "match" not in told and "not valid for" not in told and "expired" not in told
                else "give it one for the name in [store] url that is in date"
            )
        return self._clean(f"{self.url} cannot be reached: {told}; {remedy}")

    def _explained(self, status: int, told: str) -> str:
        """One line: what the server said, and what to do about it. Status 0: a refused query."""
        remedies = {
            400: "these rows are not as the server wants them",
            401: "check [store] auth and the credential that [store] credential names",
            403: "check [store] auth and the credential that [store] credential names",
            404: 'an InfluxDB older than 1.8 wants [store] api = "v1"; else check [store] url',
            413: "raise max-body-size in [http], or client_max_body_size of the proxy",
            422: "these rows are not as the server wants them",
            429: f"sent {RETRIES + 1} times in vain; send the batch again later",
        }
        remedy = remedies.get(status, "see the server's log")
        if status >= 500:
            remedy = f"sent {RETRIES + 1} times in vain; see the server's log, send it again later"
        if "partial write" in told:
            remedy = "the other rows were kept"
        if limit := re.search(r"(max-[a-z-]+) limit exceeded", told):
            remedy = f"raise {limit[1]} in [data] of its settings: these rows wait until then"
        if re.search(r"(database|bucket|retention policy).*not found", told):
            remedy = (
                "run `farola store prepare`, or on the server "
                f"`influx -execute 'CREATE DATABASE \"{self.database}\"'`"
            )
        code = f"{status}: " if status else ""
        return self._clean(f"{self.described()}: {code}{told or 'no reason given'}; {remedy}")

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


def _told(body: object) -> str:
    """What the server said: 1.x has `error`, 2.x and 3 `message`, a proxy a page of HTML."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        data = json.loads(text)
        text = str(data.get("error") or data.get("message") or text)
    except (ValueError, AttributeError):
        text = re.sub(r"<(head|style).*?</\1>|<[^>]+>", " ", text, flags=re.S)
    return text


def _cut(text: str) -> str:
    """Not before it is clean: a piece of a secret is not known for one."""
    return text if len(text) <= 300 else text[:299] + "…"
