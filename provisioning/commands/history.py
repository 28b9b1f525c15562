"""`farola provision fetch` and `farola provision history`: what devices run, and what they ran."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from farola.errors import InputError, ProvisioningError
from farola.output import json_option, note, plain, print_json, print_table, progress
from farola.people import person
from farola.settings import load_settings
from farola.times import iso, show_instant

if TYPE_CHECKING:
    from provisioning.history.configs import History, Version

NEWEST = "last"
_BEFORE = re.compile(r"last~(\d{1,9})")


@click.command()
@click.argument("devices", nargs=-1)
@click.option("--site", help="All devices at this site.")
@click.option("--all", "everything", is_flag=True, help="All devices with an address.")
@json_option
def fetch(devices: tuple[str, ...], site: str | None, everything: bool, as_json: bool) -> None:
    """Fetch the config of DEVICES and keep it in the history where it differs from the last.

    Exits 1 if a device could not be fetched from; the others are kept all the same.
    """
    from farola.keys import Keyring
    from inventory import audit_log, events
    from inventory.db import open_inventory
    from inventory.models import utcnow
    from provisioning.history import fetch as fetching
    from provisioning.history.configs import History
    from provisioning.platforms.choosing import choose, credentials

    settings = load_settings()
    history = History(settings.home, Keyring(settings.home))
    inventory = open_inventory(settings)
    with inventory.session() as session:
        chosen = choose(session, devices, site, everything)
        secrets = credentials(session, chosen, history.keyring)
    with progress("Fetching", len(chosen)) as done:
        found = sorted(
            fetching.fetch_many(
                chosen, secrets, history, author=person(), cause="by hand", done=done
            ),
            key=lambda one: one.device_id,
        )
    with inventory.session() as session:
        found = [fetching.explain(session, one, history, utcnow()) for one in found]
        for one in found:
            if one.outcome in {"changed", "recorded"}:
                events.record(
                    session, f"config.{one.outcome}", fetching.in_words(one),
                    device_id=one.device_id, actor=person(), detail=fetching.in_detail(one),
                )  # fmt: skip
        counts = {
            name: sum(one.outcome == name for one in found)
            for name in ("recorded", "changed", "unchanged")
        }
        failed = [one for one in found if one.outcome in {"unreachable", "refused"}]
        words = ", ".join(f"{n} {name}" for name, n in counts.items()) + f", {len(failed)} failed"
        audit_log.record(
            session, person(), "config.fetched", result=words,
            device_id=found[0].device_id if len(found) == 1 else None,
            detail={"new": [one.device_id for one in found if one.outcome == "changed"]},
        )  # fmt: skip
    inventory.close()
    if as_json:
        print_json({
            "fetched": len(found) - len(failed),
            "changed": [
                {"device": one.device_id, "diff": one.diff, "change": one.change}
                for one in found if one.outcome == "changed"
            ],
            "recorded": [one.device_id for one in found if one.outcome == "recorded"],
            "failed": [{"device": one.device_id, "why": one.message} for one in failed],
        })  # fmt: skip
    else:
        for one in found:
            if one.outcome == "changed":
                click.echo(f"{one.device_id}: {fetching.in_words(one)}\n{one.diff}\n")
        click.echo(words)
    for one in failed:
        note(f"farola: {one.device_id}: {one.message}")
    if failed:
        click.get_current_context().exit(1)


@click.command()
@click.argument("device")
@click.argument("rev", required=False)
@click.option("--diff", "which", metavar="[REV]", is_flag=False, flag_value=NEWEST,
              help="What that version changed; the newest if none is named.")  # fmt: skip
@click.option("--blame", is_flag=True,
              help="Of each line, when it came, who brought it, and why.")  # fmt: skip
@json_option
def history(device: str, rev: str | None, which: str | None, blame: bool, as_json: bool) -> None:
    """List the configs that DEVICE ran, or show that of version REV; secrets are never shown.

    REV is a version's mark as the list prints it, its commit, the first characters of one of them,
    `last`, or as many versions before: last~1, last~2 …
    """
    from farola.keys import Keyring
    from provisioning.history.configs import History

    settings = load_settings()
    kept = History(settings.home, Keyring(settings.home))
    versions = kept.versions(device)
    if not versions:
        raise ProvisioningError(
            f"no config of {device!r} is kept: fetch it with `farola provision fetch {device}`"
        )
    if which is not None and blame:
        raise InputError("give --diff or --blame, not both")
    if rev is not None and which not in {None, NEWEST}:
        raise InputError("name the version once: as REV or after --diff")
    if rev is None and which is None and not blame:
        _list(device, versions, as_json)
        return
    index = index_of(versions, rev or which or NEWEST, device)
    row = _row(versions[index])
    if blame:
        _blame(kept, versions[: index + 1], as_json, {"device": device, **row})
        return
    key, text = ("diff", _changed(kept, versions, index)) if which else (
        "config", _shown(kept, versions[index])
    )  # fmt: skip
    if as_json:
        print_json({"device": device, **row, key: text})
    else:
        click.echo(text, nl=not text.endswith("\n"))


def index_of(versions: list[Version], which: str, device: str) -> int:
    """Which version is meant; of several whose mark begins so, the newest.

    ProvisioningError if there is none.
    """
    if which == NEWEST:
        return len(versions) - 1
    if match := _BEFORE.fullmatch(which):
        index = len(versions) - 1 - int(match[1])
        if index < 0:
            raise ProvisioningError(f"{device!r} has only {len(versions)} versions")
        return index
    found = [
        index
        for index, one in enumerate(versions)
        if which and (one.mark.startswith(which) or one.commit.startswith(which))
    ]
    if not found:
        raise ProvisioningError(
            f"{device!r} has no version {which!r}: `farola provision history {device}` lists them"
        )
    return found[-1]


def _list(device: str, versions: list[Version], as_json: bool) -> None:
    if as_json:
        print_json({"device": device, "versions": [_row(one) for one in versions]})
        return
    zone = load_settings().city.zone
    print_table(
        f"Configs of {device}", ("version", "fetched first", "by", "because", "commit"),
        [(one.mark, show_instant(one.at, zone), one.author, one.cause, one.commit[:10])
         for one in versions],
    )  # fmt: skip


def _row(one: Version) -> dict[str, Any]:
    return {
        "version": one.mark, "at": iso(one.at), "author": one.author, "cause": one.cause,
        "commit": one.commit,
    }  # fmt: skip


def _changed(kept: History, versions: list[Version], index: int) -> str:
    from provisioning.change.prepare import printable
    from provisioning.history.fetch import difference

    before = versions[index - 1] if index else None
    return printable(difference(kept, before, versions[index], ("before", "after")))


def _shown(kept: History, version: Version) -> str:
    """A version with its secrets as •••."""
    from provisioning.change.prepare import printable
    from provisioning.history.secret_references import masked

    return printable(masked(kept.kept_text(version)))


def _blame(kept: History, versions: list[Version], as_json: bool, row: dict[str, Any]) -> None:
    from provisioning.change.prepare import printable
    from provisioning.history.blame import blamed
    from provisioning.history.secret_references import masked

    texts = kept.kept_texts(versions)
    lines = [
        (versions[number], plain(printable(masked(line)).replace("\t", "    ")))
        for number, line in blamed([text.splitlines() for text in texts])
    ]
    if as_json:
        print_json({**row, "lines": [{**_row(one), "line": line} for one, line in lines]})
        return
    zone = load_settings().city.zone
    for one, line in lines:
        who = plain(f"{one.mark[:8]} {one.author[:12]:<12} {one.cause[:16]:<16}")
        click.echo(f"{who} {show_instant(one.at, zone)}  {line}")
