"""Settings survive a round trip; keys are guarded; secrets do not show."""

from __future__ import annotations

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
    ],
    ids=["time zone", "misspelt", "store kind", "not text", "not a table"],
)
def test_a_wrong_setting_is_named(home, text, named):
    home.mkdir()
    (home / "farola.toml").write_text(text)
    with pytest.raises(SettingsError, match=named):
        load_settings(home)


def test_the_key_does_not_lie_beside_the_secrets(home, monkeypatch, tmp_path):
    monkeypatch.delenv("FAROLA_KEY_FILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert home not in key_path(home).parents


def test_a_key_that_others_can_read_is_refused(home):
    path = create_key(home)
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
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
