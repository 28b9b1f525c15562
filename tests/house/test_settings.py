"""Settings survive a round trip; keys are guarded; secrets do not show."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farola.errors import SettingsError
from farola.keys import Keyring, create_key, key_path
from farola.settings import City, Settings, StoreSettings, load_settings, write_settings
from inventory.records import Secrets

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(name=TEXT, ssid=TEXT, bucket=TEXT)
def test_settings_survive_writing_and_reading(tmp_path_factory, name, ssid, bucket):
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home, City(name=name, ssid=ssid), StoreSettings(bucket=bucket))
    write_settings(settings)
    assert load_settings(home) == settings


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[city]\ntimezone = "Mars/Olympus"\n', "Mars/Olympus"),
        ('[city]\nnmae = "x"\n', "nmae"),
        ('[store]\nkind = "csv"\n', "csv"),
        ("[store]\nurl = 5\n", "url"),
        ("city = 1\n", "city"),
        ('inventory = "x"\n', "inventory"),
        ("[inventory]\ndatabase_url = 5\n", "database_url"),
        ('[inventory]\ndatabse_url = "x"\n', "did you mean 'database_url'"),
        ('[cty]\nname = "x"\n', "did you mean 'city'"),
        ('name = "x"\n', "There are checks, city, inventory, provisioning, store"),
        ('[city]\ntimezone = "America"\n', "America/Mexico_City"),
        (f"[city]\nname = {'9' * 5000}\n", "not valid TOML"),
        (f"city = {'[' * 5000}\n", "nested too deep"),
    ],
    ids=[
        "time zone",
        "misspelt",
        "store kind",
        "not text",
        "not a table",
        "inventory no table",
        "url not text",
        "inventory misspelt",
        "section misspelt",
        "no such section",
        "folder of time zones",
        "endless number",
        "endless nesting",
    ],
)
def test_a_wrong_setting_is_named(home, text, named):
    home.mkdir()
    (home / "farola.toml").write_text(text)
    with pytest.raises(SettingsError, match=named):
        load_settings(home)


@pytest.mark.parametrize("key", ["raw_days", "raw_gb", "hour_days", "spool_gb"])
@pytest.mark.parametrize("value", ["0", "-1", "10_000_000_000_000"])
def test_what_may_be_kept_is_more_than_nothing(home, key, value):
    home.mkdir()
    (home / "farola.toml").write_text(f"[store]\n{key} = {value}\n")
    with pytest.raises(SettingsError, match=rf"\[store\] {key} is {int(value)}; .* above 0"):
        load_settings(home)


@pytest.mark.parametrize("key", ["raw_days", "hour_days"])
@pytest.mark.parametrize(
    ("value", "told"),
    [("nan", "a whole number"), ("1e9", "a whole number"), ("1_000_000_000_000", "above 0")],
)
def test_days_are_a_whole_number_that_can_be_reckoned_with(home, key, value, told):
    home.mkdir()
    (home / "farola.toml").write_text(f"[store]\n{key} = {value}\n")
    with pytest.raises(SettingsError, match=rf"\[store\] {key} .*{told}"):
        load_settings(home)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_room_is_a_number_that_can_be_reckoned_with(home, value):
    home.mkdir()
    (home / "farola.toml").write_text(f"[store]\nspool_gb = {value}\n")
    with pytest.raises(SettingsError, match=rf"spool_gb is {value}; use a number above 0"):
        load_settings(home)


def test_settings_are_never_readable_by_others_not_even_for_a_moment(home, monkeypatch):
    """Every mode the file ever has is seen by the one call that makes it visible."""
    old = os.umask(0)
    try:
        write_settings(Settings(home))
        seen = []
        replace = Path.replace

        def watched(self, target):
            seen.append((stat.S_IMODE(self.stat().st_mode), Path(target).read_text()))
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", watched)
        write_settings(Settings(home, City(name="New")))
    finally:
        os.umask(old)
    ((mode, before),) = seen
    assert mode == 0o600
    assert 'name = "My city"' in before, "the old file stands whole until the new one does"
    assert stat.S_IMODE((home / "farola.toml").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["farola.toml"]


def test_a_password_in_the_database_url_does_not_show_in_a_repr(home):
    assert "hunter2" not in repr(Settings(home, database_url="postgresql://me:hunter2@h/db"))


def test_the_key_does_not_lie_beside_the_secrets(home, monkeypatch, tmp_path):
    monkeypatch.delenv("FAROLA_KEY_FILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert home not in key_path(home).parents


def test_a_key_that_others_can_read_is_refused(home):
    path = create_key(home)
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        Keyring(home)


@pytest.mark.parametrize(
    ("fault", "said"),
    [(IsADirectoryError(21, "Is a directory"), "Is a directory"),
     (PermissionError(13, "Permission denied"), "Permission denied"),
     (OSError(5, "Input/output error"), "Input/output error")],
)  # fmt: skip
def test_a_key_that_cannot_be_read_is_told(home, monkeypatch, fault, said):
    path = create_key(home)

    def read(_path):
        raise fault

    monkeypatch.setattr(type(path), "read_bytes", read)
    with pytest.raises(SettingsError, match=f"{path} cannot be read: {said}"):
        Keyring(home)


def test_a_folder_in_the_place_of_the_key_is_told(home):
    key_path(home).mkdir(parents=True, mode=0o700)
    with pytest.raises(SettingsError, match="Is a directory"):
        Keyring(home)


def test_a_secret_comes_back_only_with_its_own_key(home, monkeypatch, tmp_path):
    create_key(home)
    token = Keyring(home).encrypt("hunter2")
    assert b"hunter2" not in token
    assert Keyring(home).decrypt(token) == "hunter2"
    monkeypatch.setenv("FAROLA_KEY_FILE", str(tmp_path / "other.key"))
    create_key(home)
    with pytest.raises(SettingsError, match="another key"):
        Keyring(home).decrypt(token)


def test_secrets_do_not_show_in_a_repr():
    assert "hunter2" not in repr(Secrets("ssh", "root", {"password": "hunter2"}))
