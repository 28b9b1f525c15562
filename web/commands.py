"""`farola web` serves the console; `farola user add` makes an account."""

from __future__ import annotations

import sys
from typing import Any

import click

from farola.errors import FarolaError, InputError
from farola.output import json_option, note, print_json
from farola.settings import load_settings
from web.roles import ROLES


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="TCP port."
)
@click.option(
    "--behind-tls",
    is_flag=True,
    help="A proxy on this machine speaks TLS: cookies over HTTPS only, its X-Forwarded-* believed.",
)
def web(host: str, port: int, behind_tls: bool) -> None:
    """Serve the console alone."""
    from waitress.server import create_server

    from web.app import create_app
    from web.assets import FOLDER
    from web.context import Console

    settings = load_settings()
    app = create_app(settings, https=behind_tls)
    proxy: dict[str, Any] = {}
    if behind_tls:
        proxy = {
            "trusted_proxy": "127.0.0.1",
            "trusted_proxy_count": 1,
            "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
        }
    try:
        server = create_server(
            app, host=host, port=port, threads=8, ident=None, clear_untrusted_proxy_headers=True,
            **proxy,
        )  # fmt: skip
    except OSError as error:
        raise FarolaError(
            f"the console cannot listen on {host}:{port}: {error.strerror}; "
            "stop what uses it, or choose another with --port"
        ) from None
    if not (FOLDER / "manifest.json").exists():
        note("The front end was not built: pages are plain. `farola doctor` says how to get it.")
    console = app.extensions["farola"]
    assert isinstance(console, Console)  # noqa: S101 - create_app put it there
    if not console.has_users():
        note("Nobody can sign in yet: `farola user add NAME --role admin --generate` makes one.")
    console.warm_up()
    note(f"Console of {settings.city.name}: http://{host}:{port}  (Ctrl-C stops it)")
    try:
        server.run()
    finally:
        server.close()
        console.close()


@click.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="viewer",
    show_default=True,
    help="What they may do.",
)
@click.option("--generate", is_flag=True, help="Make a password and print it.")
@json_option
def user_add(name: str, role: str, generate: bool, as_json: bool) -> None:
    """Add a person who may sign in, or replace their password and role.

    The password is asked for at a terminal, else read from the first line of standard input; it
    is never taken from the command line.
    """
    from inventory import events
    from inventory.db import open_inventory
    from web.users import new_password, set_user

    settings = load_settings()
    password = new_password() if generate else _read_password()
    inventory = open_inventory(settings)
    try:
        with inventory.session() as session:
            new = set_user(session, name, password, role)
            events.record(
                session, "console.user", f"{name.strip()} {'added' if new else 'changed'}: {role}"
            )
    finally:
        inventory.close()
    if as_json:
        shown = {"password": password} if generate else {}
        print_json({"name": name.strip(), "role": role, "new": new, **shown})
        return
    note(f"{name.strip()} may sign in as {role}." if new else f"{name.strip()} is now {role}.")
    if generate:
        click.echo(password)


def _read_password() -> str:
    if sys.stdin.isatty():
        asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return asked
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise InputError("no password on standard input: pipe one in, or use --generate")
    return password
