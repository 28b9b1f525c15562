"""What an InfluxDB server, a proxy or the network said, in one line with what to do. Pure."""

from __future__ import annotations

import json
import re


def unreachable(url: str, error: Exception) -> str:
    """Why no answer came, and what to do."""
    reason = str(getattr(error, "reason", None) or error)
    told = re.sub(
        r"^\w+Connection(Pool)?\(.*?\): |Failed to establish a new connection: ", "", reason
    )
    remedy = "start InfluxDB or mend [store] url"
    if waited := re.search(r"[Rr]ead timed out.*?timeout=([\d.]+)", told):
        return (
            f"{url} took the connection and did not answer within {float(waited[1]):g} s; "
            "see the server's log: it hangs, or has too much to do"
        )
    if "Connection aborted" in told or "RemoteDisconnected" in told:
        told, remedy = "it closed the connection without an answer", "see the server's log"
    if "CERTIFICATE_VERIFY_FAILED" in told:
        told = re.sub(r"^.*?certificate verify failed: | \(_ssl\.c:\d+\)'?\)*", "", told)
        told = f"its certificate is not to be trusted: {told}"
        remedy = (
            "name the authority that signed it in [store] ca_file"
            if "match" not in told and "not valid for" not in told and "expired" not in told
            else "give it one for the name in [store] url that is in date"
        )
    return f"{url} cannot be reached: {told}; {remedy}"


def refusal(status: int, told: str, *, tries: int, database: str) -> str:
    """What the server said, and what to do about it. Status 0: a query with an error in it;
    `tries`: how often it was asked.
    """
    in_vain = f"sent {tries} times in vain; " if tries > 1 else ""
    sign_in = (
        "check [store] auth (basic for a user and password) and the credential that "
        "[store] credential names"
    )
    remedies = {
        400: "these rows are not as the server wants them",
        401: sign_in,
        403: sign_in,
        404: 'an InfluxDB older than 1.8 wants [store] api = "v1"; else check [store] url',
        413: "raise max-body-size in [http], or client_max_body_size of the proxy",
        422: "these rows are not as the server wants them",
        429: f"{in_vain}send the batch again later",
    }
    remedy = remedies.get(status, "see the server's log")
    if status >= 500:
        remedy = f"{in_vain}see the server's log, send it again later"
    if "partial write" in told:
        remedy = "the other rows were kept"
    if limit := re.search(r"(max-[a-z-]+) limit exceeded", told):
        remedy = f"raise {limit[1]} in [data] of its settings: these rows wait until then"
    if re.search(r"(database|bucket|retention policy).*not found", told):
        remedy = (
            "run `farola store prepare`, or on the server "
            f"`influx -execute 'CREATE DATABASE \"{database}\"'`"
        )
    code = f"{status}: " if status else ""
    return f"{code}{told or 'no reason given'}; {remedy}"


def told_in(body: object) -> str:
    """What the server said: 1.x has `error`, 2.x and 3 `message`, a proxy a page of HTML."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        data = json.loads(text)
        text = str(data.get("error") or data.get("message") or text)
    except (ValueError, AttributeError):
        text = re.sub(r"<(head|style).*?</\1>|<[^>]+>", " ", text, flags=re.S)
    return text


def cut(text: str) -> str:
    """Not before it is clean: a piece of a secret is not known for one."""
    return text if len(text) <= 300 else text[:299] + "…"
