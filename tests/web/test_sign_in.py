"""Who gets in, and who does not."""

from __future__ import annotations

import json
import sqlite3
import stat
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from farola.errors import InputError
from farola.keys import key_path
from farola.settings import Settings
from inventory.db import open_inventory
from tests.conftest import Run
from tests.web.conftest import NAME, PASSWORD, sign_in, signed_in, token
from web.security import Throttle, safe_target
from web.users import set_user

PRIVATE = ["/", "/coverage", "/plan", "/devices", "/devices/ap-001", "/changes", "/changes/1",
           "/events", "/map/neighbourhoods.geojson", "/map/sites.geojson", "/plan/1.geojson",
           "/about/site?id=site-001"]  # fmt: skip


@pytest.mark.parametrize("path", PRIVATE)
def test_a_stranger_is_led_to_the_form_and_then_back(stranger: FlaskClient, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 302
    assert answer.location.startswith("/login?next=/")
    assert sign_in(stranger, target=path).location == path


def test_every_page_but_the_open_ones_asks_for_a_sign_in(app: Flask, stranger: FlaskClient) -> None:
    opened = {"/login", "/public", "/healthz", "/icon.svg", "/static/<path:name>"}
    asked = 0
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.rule in opened:
            continue
        path = rule.rule.replace("<int:plan_id>", "1").replace("<int:change_id>", "1")
        answer = stranger.get(path.replace("<path:device_id>", "ap-001"))
        assert answer.location.startswith("/login"), rule.rule
        asked += 1
    assert asked > 10


def test_a_wrong_word_and_an_unknown_name_get_the_same_answer(stranger: FlaskClient) -> None:
    wrong = sign_in(stranger, NAME, "not the password")
    unknown = sign_in(stranger, "nobody", "not the password")
    assert wrong.status_code == unknown.status_code == 401
    assert "do not fit together" in wrong.text
    assert stranger.get("/").status_code == 302


def test_tries_are_limited_but_not_for_somebody_else(app: Flask) -> None:
    thief = app.test_client()
    for _ in range(5):
        assert sign_in(thief, NAME, "guess after guess").status_code == 401
    blocked = sign_in(thief)
    assert blocked.status_code == 429
    assert "Wait" in blocked.text
    owner = app.test_client()
    page = owner.get("/login", environ_base={"REMOTE_ADDR": "10.1.1.1"}).text
    answer = owner.post(
        "/login",
        data={"csrf": token(page), "name": NAME, "password": PASSWORD},
        environ_base={"REMOTE_ADDR": "10.1.1.1"},
    )
    assert answer.status_code == 303


def test_the_limit_ends_by_itself() -> None:
    throttle = Throttle(limit=2, window=60)
    throttle.fail("a", now=0)
    throttle.fail("a", now=10)
    assert throttle.wait("a", now=20) == 40
    assert throttle.wait("b", now=20) == 0
    assert throttle.wait("a", now=61) == 0


def test_a_form_without_its_token_changes_nothing(client: FlaskClient) -> None:
    assert client.post("/logout").status_code == 400
    assert client.post("/logout", data={"csrf": "00" * 32}).status_code == 400
    assert client.get("/events").status_code == 200
    assert (
        client.post("/logout", data={"csrf": token(client.get("/events").text)}).status_code == 303
    )
    assert client.get("/events").status_code == 302


def test_tokens_differ_on_each_page_and_all_work(client: FlaskClient) -> None:
    first, second = (token(client.get("/events").text) for _ in range(2))
    assert first != second
    for given_token in (first, second):
        assert client.post("/theme", data={"csrf": given_token, "theme": "dark"}).status_code == 303


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil",
     "javascript:alert(1)", "", None, "///evil.example"],
)  # fmt: skip
def test_nobody_is_sent_to_another_server(target: str | None) -> None:
    assert safe_target(target) == "/"


@given(st.text(alphabet="/\\:.ab?#@\t\n ", max_size=12))
def test_a_target_is_always_a_path_of_ours(target: str) -> None:
    found = safe_target(target)
    assert found.startswith("/")
    assert not found.startswith(("//", "/\\"))
    assert not set(found) & set("\t\n\r\\")


def test_the_cookie_is_kept_from_scripts_and_other_sites(stranger: FlaskClient) -> None:
    cookie = sign_in(stranger).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_new_password_ends_older_sessions(app: Flask, client: FlaskClient) -> None:
    assert client.get("/events").status_code == 200
    with app.extensions["farola"].inventory.session() as session:
        set_user(session, NAME, "another good password", "admin")
    assert client.get("/events").status_code == 302


def test_a_person_who_was_removed_is_out(app: Flask, client: FlaskClient) -> None:
    from inventory.models import User

    with app.extensions["farola"].inventory.session() as session:
        session.delete(session.get(User, NAME))
    assert client.get("/events").status_code == 302


def test_the_session_key_is_private_and_not_in_the_home(app: Flask, settings: Settings) -> None:
    path = key_path(settings.home).with_suffix(".session")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert settings.home not in path.parents
    assert path.read_text() == app.secret_key
    assert all(
        path.read_bytes() not in file.read_bytes()
        for file in settings.home.rglob("*")
        if file.is_file()
    )


def test_a_session_key_that_others_can_read_is_refused(app: Flask, settings: Settings) -> None:
    from farola.errors import SettingsError
    from web.app import create_app

    key_path(settings.home).with_suffix(".session").chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        create_app(settings)


def test_a_generated_password_is_kept_as_a_hash_only(run: Run, empty_settings: Settings) -> None:
    made = run("user", "add", "admin", "--role", "admin", "--generate", "--json")
    password = json.loads(made.stdout)["password"]
    database = sqlite3.connect(empty_settings.home / "inventory.db")
    [(stored,)] = database.execute("select password_hash from user").fetchall()
    database.close()
    assert stored.startswith("$argon2id$")
    assert password not in (empty_settings.home / "inventory.db").read_bytes().decode("latin-1")


def test_user_add_reads_the_password_from_stdin(run: Run, empty_settings: Settings) -> None:
    run("user", "add", "Noor", "--role", "operator", input="a good long password\n")
    done = run("user", "add", "ben", input="short\n", code=1)
    assert "at least 10 characters" in done.stderr
    assert run("user", "add", "ben", input="", code=1).stderr.startswith("farola: no password")
    run("user", "add", "ben", "--role", "emperor", code=2)
    inventory = open_inventory(empty_settings)
    from web.users import check_password

    with inventory.session() as session:
        person = check_password(session, "Noor", "a good long password")
        assert person is not None
        assert person.role == "operator"
        assert check_password(session, "ben", "short") is None
    inventory.close()


def test_user_add_generates_one_that_works(run: Run, settings: Settings, app: Flask) -> None:
    password = run("user", "add", "kiosk", "--generate").stdout.strip()
    client = signed_in(app, "kiosk", password)
    assert "viewer" in client.get("/events").text


@pytest.mark.parametrize("name", ["", "  ", "a" * 101, "new\nline"])
def test_a_name_that_cannot_be_one_is_refused(empty_settings: Settings, name: str) -> None:
    inventory = open_inventory(empty_settings)
    with pytest.raises(InputError), inventory.session() as session:
        set_user(session, name, "a good long password")
    inventory.close()


def test_a_port_that_is_taken_is_one_line(run: Run, settings: Settings, tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("web", "--port", port, code=1)
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
