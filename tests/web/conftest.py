"""The made city as fixtures: its home (built once), the app on a copy, a signed-in client."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from farola.keys import create_key
from farola.settings import Settings, write_settings
from inventory.db import open_inventory, upgrade
from tests.web.made_city import NAME, PASSWORD, city_settings, make_city
from web.app import create_app


@pytest.fixture(scope="session")
def template_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made city's home; tests work on copies of it."""
    base = tmp_path_factory.mktemp("city")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAROLA_KEY_FILE", str(base / "key"))
        make_city(city_settings(base / "home"))
    return base / "home"


@pytest.fixture
def settings(home: Path, template_home: Path) -> Settings:
    """The made city in this test's own home."""
    shutil.copytree(template_home, home)
    create_key(home)
    return city_settings(home)


@pytest.fixture
def empty_settings(home: Path) -> Settings:
    """A city that was just initialised."""
    settings = city_settings(home)
    home.mkdir()
    write_settings(settings)
    create_key(home)
    inventory = open_inventory(settings)
    upgrade(inventory.engine)
    inventory.close()
    return settings


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The console of the made city."""
    yield from serve(settings)


@pytest.fixture
def empty_app(empty_settings: Settings) -> Iterator[Flask]:
    """The console of an empty city, with one user."""
    from web.users import set_user

    inventory = open_inventory(empty_settings)
    with inventory.session() as session:
        set_user(session, NAME, PASSWORD, "viewer")
    inventory.close()
    yield from serve(empty_settings)


def serve(settings: Settings) -> Iterator[Flask]:
    """An app that is closed in the end."""
    app = create_app(settings)
    yield app
    app.extensions["farola"].close()


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """Somebody who has not signed in."""
    return app.test_client()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Somebody who has signed in."""
    return signed_in(app)


def signed_in(app: Flask, name: str = NAME, password: str = PASSWORD) -> FlaskClient:
    """A client that went through the form."""
    client = app.test_client()
    answer = sign_in(client, name, password)
    assert answer.status_code == 303, answer.text
    return client


def token(page: str) -> str:
    """The CSRF token in a page."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert found, page[:500]
    return found[1]


def sign_in(client: FlaskClient, name: str = NAME, password: str = PASSWORD, target: str = "/"):  # type: ignore[no-untyped-def]
    """Send the form of /login."""
    page = client.get("/login", query_string={"next": target}).text
    target_field = re.search(r'name="next" value="([^"]*)"', page)
    assert target_field
    return client.post(
        "/login",
        data={"csrf": token(page), "name": name, "password": password, "next": target_field[1]},
    )


def settled(client: FlaskClient, path: str) -> str:
    """A page once its coverage is worked out."""
    for _ in range(100):
        answer = client.get(path)
        if 'http-equiv="refresh"' not in answer.text:
            return answer.text
        time.sleep(0.1)
    raise AssertionError(f"{path}: coverage was never worked out")
