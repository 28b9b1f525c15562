"""A device's life: factory-new and adopted, swapped, retired; its credential rotated."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import paramiko
import pytest

from farola.errors import DeviceError, InputError, InventoryError
from farola.keys import Keyring
from inventory import audit_log, queries
from inventory.change_models import Change, ChangeDevice, Rotation, Voucher
from inventory.db import open_inventory
from inventory.groups import change_group, groups
from inventory.models import Bssid, Credential, Device, Radio
from inventory.records import DeviceRecord, Secrets
from provisioning.commands.life import new_secret
from provisioning.life import devices as life
from provisioning.life import rotate, vouchers
from provisioning.life.enrol import FACTORY, Enrolment, enrol
from tests.fleets import PASSWORD
from tests.provisioning.conftest import City

SHADOW = "etc/pretend/password"


@pytest.fixture
def factory_new(city: City) -> Any:
    """ap1 as it left the factory: root without a password, nobody's key."""
    root = city.fleet.device("ap1").root
    shadow, keys = root / SHADOW, root / "etc/dropbear/authorized_keys"
    shadow.parent.mkdir(exist_ok=True)
    shadow.write_text("", "utf-8")
    yield city
    for path in (shadow, keys, root / "etc/farola-voucher"):
        path.unlink(missing_ok=True)


def on_device(city: City, device: str, command: str) -> str:
    """Run a command as somebody would who stands beside the device with a cable."""
    from napalm_openwrt.session import Access, Session

    one = city.fleet.device(device)
    session = Session(Access(one.address, one.ssh_port, "root", None, host_key=one.host_key))
    output = session.run(command)
    session.close()
    assert output.status == 0, output
    return output.stdout


def test_a_factory_new_device_is_adopted_by_its_voucher(factory_new: City) -> None:
    city = factory_new
    made = json.loads(city.run("device", "voucher", "ap1", "--json").stdout)
    on_device(city, "ap1", made["command"])
    city.run("device", "adopt", "ap1", "--voucher", "--factory", "--json")
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        row = session.get(Device, "ap1")
        assert row is not None
        assert row.host_key == city.fleet.device("ap1").host_key
        assert row.firmware
        assert session.query(Voucher).one().used_at is not None
        logged = [one.action for one in audit_log.entries(session)]
    inventory.close()
    assert {"voucher.issued", "device.adopted"} <= set(logged)
    city.run("provision", "fetch", "ap1")
    with pytest.raises(Exception, match="refused"):
        on_device(city, "ap1", "true")
    again = city.run("device", "adopt", "ap1", "--voucher", "--factory", code=1)
    assert "no voucher" in again.stderr


def test_an_impostor_that_relays_the_proof_is_refused(factory_new: City) -> None:
    """The proof is of another key than the one shown, as when somebody stands in between."""
    city = factory_new
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        code = vouchers.issue(session, Keyring(city.settings.home), "ap1", author="a")
    inventory.close()
    true_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL00000000000000000000000000000000000000000"
    on_device(city, "ap1", f"echo {vouchers.proof(code, true_key)} > /etc/farola-voucher")
    done = city.run("device", "adopt", "ap1", "--voucher", "--factory", code=1)
    assert "does not fit the host key that it shows" in done.stderr
    assert on_device(city, "ap1", "echo still open").strip() == "still open", "nothing was set"
    assert code not in done.stderr + done.stdout


class Impostor(paramiko.ServerInterface):
    """Refuses what a factory-new device takes, and notes the passwords that it is given then."""

    def __init__(self) -> None:
        self.passwords: list[str] = []

    def get_allowed_auths(self, _username: str) -> str:
        return "password,publickey"

    def check_auth_none(self, _username: str) -> int:
        return paramiko.AUTH_FAILED

    def check_auth_password(self, _username: str, password: str) -> int:
        self.passwords.append(password)
        return paramiko.AUTH_FAILED


@pytest.mark.parametrize("factory", [FACTORY, None], ids=["factory-new", "given its credential"])
def test_no_password_goes_to_a_device_whose_voucher_was_not_seen_to_fit(
    factory: Secrets | None,
) -> None:
    impostor, key = Impostor(), paramiko.RSAKey.generate(2048)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            with contextlib.suppress(paramiko.SSHException, EOFError):
                transport.start_server(server=impostor)

    threading.Thread(target=serve, daemon=True).start()
    device = DeviceRecord(
        "ap1", "ap1", "access-point", "openwrt", "127.0.0.1", listener.getsockname()[1], 161,
        None, "S", "ap", None, "live", "imported", None,
    )  # fmt: skip
    held = {"ap1": vouchers.Held(1, vouchers.new_code(), "")}
    found = enrol(device, Secrets("ap", "root", {"password": "city"}), [], Enrolment(factory, held))
    listener.close()
    assert found.seen is None
    assert impostor.passwords == []


def test_an_adoption_that_broke_off_after_its_voucher_fitted_goes_on(factory_new: City) -> None:
    city = factory_new
    made = json.loads(city.run("device", "voucher", "ap1", "--json").stdout)
    on_device(city, "ap1", made["command"])
    from napalm_openwrt.session import Access, Session
    from napalm_openwrt.sign_in import set_password

    one = city.fleet.device("ap1")
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        held = vouchers.valid(session, Keyring(city.settings.home), "ap1")
        vouchers.proved(session, held.id, one.host_key, actor="a")
    inventory.close()
    cable = Session(Access(one.address, one.ssh_port, "root", None, host_key=one.host_key))
    set_password(cable, PASSWORD)  # as far as the run got
    cable.close()
    city.run("device", "adopt", "ap1", "--voucher", "--factory")
    city.run("provision", "fetch", "ap1")


def test_a_voucher_needs_something_to_tell_the_device_by_and_ends(city: City) -> None:
    city.change("ap1", serial=None, mac=None)
    inventory = open_inventory(city.settings)
    keyring = Keyring(city.settings.home)
    with inventory.session() as session:
        with pytest.raises(InventoryError, match="neither a serial number nor a MAC"):
            vouchers.issue(session, keyring, "ap1", author="a")
        first = vouchers.issue(session, keyring, "ap2", author="a")
        second = vouchers.issue(session, keyring, "ap2", author="a")
        assert vouchers.valid(session, keyring, "ap2").code == second != first
        assert first not in str([row.code for row in session.query(Voucher)])
        with pytest.raises(DeviceError, match="no voucher"):
            vouchers.valid(session, keyring, "ap3")
    inventory.close()
    with pytest.raises(DeviceError, match="no proof"):
        vouchers.check(second, "ssh-ed25519 A", [])


def test_swapped_hardware_keeps_site_and_intent_and_nothing_else(adopted: City) -> None:
    inventory = open_inventory(adopted.settings)
    with inventory.session() as session:
        session.add(Radio(device_id="ap1", name="r", bssids=[Bssid(bssid="02:00:00:00:01:77")]))
        session.add(Change(devices=[
            ChangeDevice(device_id="ap1", candidate=b"x", status="queued"),
        ]))  # fmt: skip
    adopted.run("device", "swap", "ap1", "--serial", "NEW-1", "--mac", "02-00-00-00-01-AA")
    with inventory.session() as session:
        row = session.get(Device, "ap1")
        assert row is not None
        assert (row.serial, row.mac, row.host_key) == ("NEW-1", "02:00:00:00:01:aa", None)
        assert row.placements[0].valid_to is None
        assert session.query(Bssid).count() == 0, "a stolen device must not pass for ours"
        assert session.query(ChangeDevice).one().status == "failed"
        with pytest.raises(InventoryError, match="is ap2's"):
            life.swap(session, "ap1", serial="S-ap2", actor="a")
        with pytest.raises(InputError, match="no MAC"):
            life.swap(session, "ap1", mac="nonsense", actor="a")
    inventory.close()
    refused = adopted.run("provision", "fetch", "ap1", code=1)
    assert "is not adopted" in refused.stderr
    other = adopted.run("device", "adopt", "ap1", "--known-hosts", str(adopted.known_hosts), code=1)
    assert "this is another device" in other.stderr, "the old hardware still answers there"


def test_a_device_is_not_swapped_or_retired_while_a_change_is_at_it(adopted: City) -> None:
    inventory = open_inventory(adopted.settings)
    with inventory.session() as session:
        change = Change(devices=[
            ChangeDevice(device_id="ap1", candidate=b"x", status="unconfirmed"),
        ])  # fmt: skip
        session.add(change)
        session.flush()
        for job in (
            lambda: life.swap(session, "ap1", serial="N", actor="a"),
            lambda: life.retire(session, "ap1", reason="", actor="a"),
        ):
            with pytest.raises(InventoryError, match=f"change {change.id} is not over on ap1"):
                job()
    inventory.close()


def test_a_retired_device_is_asked_and_pushed_to_no_longer(adopted: City) -> None:
    done = adopted.run("device", "retire", "ap2", "--reason", "stolen", "--json")
    assert json.loads(done.stdout) == {"retired": "ap2", "hang_on_it": []}
    inventory = open_inventory(adopted.settings)
    with inventory.session() as session:
        assert "ap2" not in {one.id for one in queries.devices(session)}
        row = session.get(Device, "ap2")
        assert row is not None
        assert row.placements[0].valid_to is not None
    inventory.close()
    adopted.run("provision", "fetch", "ap2", code=1)
    adopted.run("device", "retire", "ap2", code=1)


def test_groups_are_made_shown_and_changed(city: City) -> None:
    city.run("device", "group", "plazas", "--add", "ap1", "--add", "ap2")
    shown = json.loads(city.run("device", "group", "--json").stdout)
    assert shown == {"groups": {"plazas": ["ap1", "ap2"]}}
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        with pytest.raises(InventoryError, match="no device nope"):
            change_group(session, "plazas", add=["ap3", "nope"], remove=[], actor="a")
        change_group(session, "plazas", add=[], remove=["ap2"], actor="a")
        assert groups(session) == {"plazas": ["ap1"]}
    inventory.close()
    assert "no group 'x'" in city.run("device", "group", "x", code=1).stderr


@pytest.fixture
def rotating(adopted: City) -> Any:
    """Whatever a test did to the sign-in is undone: other tests share the devices."""
    yield adopted
    for device in adopted.fleet.devices:
        (device.root / SHADOW).unlink(missing_ok=True)
        (device.root / "etc/dropbear/authorized_keys").unlink(missing_ok=True)


def credential(city: City, name: str = "ap") -> Secrets:
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        found = queries.secrets(session, name, Keyring(city.settings.home))
    inventory.close()
    return found


def test_a_password_is_rotated_on_all_devices_that_answer_and_later_on_the_rest(
    rotating: City,
) -> None:
    city, address = rotating, rotating.fleet.device("ap3").address
    city.change("full", status="retired")
    city.change("ap3", management_address="127.0.0.9")
    first = city.run("device", "rotate", "ap", "--generate", "--json", code=1)
    told = json.loads(first.stdout)
    assert (told["rotated"], told["finished"]) == (2, False)
    assert [one["device"] for one in told["failed"]] == ["ap3"]
    assert credential(city).values["password"] == PASSWORD, "ap3 has the old one still"
    new = credential(city, "ap.next").values["password"]
    assert new not in first.stdout + first.stderr
    city.run("provision", "fetch", "ap1", "ap2")  # each is signed in to with what it has

    city.change("ap3", management_address=address)
    city.run("device", "rotate", "ap", "--json")
    assert credential(city).values["password"] == new
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        assert session.get(Credential, "ap.next") is None
        names = {one.credential_name for one in session.query(Device) if one.status == "live"}
        assert names == {"ap"}
        assert session.query(Rotation).one().ended_at is not None
    inventory.close()
    city.run("provision", "fetch", "ap1", "ap2", "ap3")


def test_a_rotation_that_was_killed_after_the_device_took_the_password_goes_on(
    rotating: City,
) -> None:
    from napalm_openwrt.session import Access, Session
    from napalm_openwrt.sign_in import set_password

    city, keyring = rotating, Keyring(rotating.settings.home)
    for other in ("ap2", "ap3", "full"):
        city.change(other, status="retired")
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        rotate.begin(session, keyring, "ap", "password", "brand-new", actor="a")
        with pytest.raises(InventoryError, match="being rotated already"):
            rotate.begin(session, keyring, "ap", "password", "other", actor="a")
    one = city.fleet.device("ap1")
    session_ = Session(Access(one.address, one.ssh_port, "root", PASSWORD, host_key=one.host_key))
    set_password(session_, "brand-new")
    session_.close()
    result = rotate.go_on(inventory, keyring, "ap", actor="a")
    inventory.close()
    assert (result.done, result.finished) == (("ap1",), True)
    assert credential(city).values["password"] == "brand-new"


def test_a_key_that_nobody_can_use_is_refused_before_anything_is_kept(rotating: City) -> None:
    city, keyring = rotating, Keyring(rotating.settings.home)
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        with pytest.raises(InputError, match="cannot be read"):
            rotate.begin(session, keyring, "ap", "private_key", "notakey", actor="a")
        assert rotate.running(session, "ap") is None
    inventory.close()


def test_a_rotation_goes_on_with_its_own_secret_and_can_be_given_up(rotating: City) -> None:
    city, keyring = rotating, Keyring(rotating.settings.home)
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        rotate.begin(session, keyring, "ap", "password", "first", actor="a")
    refused = city.run("device", "rotate", "ap", code=1, input="second\n")
    assert "to the secret given then" in refused.stderr
    city.run("device", "rotate", "ap", "--give-up")
    with inventory.session() as session:
        assert rotate.running(session, "ap") is None
        assert session.get(Credential, "ap.next") is None
        rotate.begin(session, keyring, "ap", "password", "third", actor="a")
        begun = rotate.running(session, "ap")
        assert begun is not None
        begun.devices[0].stage = "adding"
        session.flush()
        assert rotate.give_up(session, "ap", actor="a") != []
        assert rotate.running(session, "ap") is not None
    inventory.close()


def test_devices_that_a_rotation_cannot_reach_keep_the_old_secret(rotating: City) -> None:
    city, keyring = rotating, Keyring(rotating.settings.home)
    for other in ("ap3", "full"):
        city.change(other, status="retired")
    city.change("ap2", host_key=None)
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        session.add(Device(id="sw", name="sw", role="switch", platform="eos", host_key="k",
                           credential_name="ap"))  # fmt: skip
        rotate.begin(session, keyring, "ap", "password", "brand-new", actor="a")
    city.change("ap2", host_key=city.fleet.device("ap2").host_key)  # adopted meanwhile
    result = rotate.go_on(inventory, keyring, "ap", actor="a")
    assert (result.done, result.finished, result.others) == (("ap1", "ap2"), True, ("sw",))
    with inventory.session() as session:
        switch = session.get(Device, "sw")
        assert switch is not None
        assert switch.credential_name == "ap.old"
    inventory.close()
    assert credential(city, "ap.old").values["password"] == PASSWORD
    assert credential(city).values["password"] == "brand-new"


def test_a_key_is_proved_before_the_old_one_goes(rotating: City, tmp_path: Path) -> None:
    city, keyring = rotating, Keyring(rotating.settings.home)
    for other in ("ap2", "ap3", "full"):
        city.change(other, status="retired")
    old, new = new_secret("private_key"), new_secret("private_key")
    public = rotate.public_key(Secrets("x", "root", {"private_key": old}))
    keys = city.fleet.device("ap1").root / "etc/dropbear/authorized_keys"
    keys.parent.mkdir(exist_ok=True)
    keys.write_text(f"{public} somebody\nssh-ed25519 AAAAC3NzaC1l another's\n", "utf-8")
    inventory = open_inventory(city.settings)
    with inventory.session() as session:
        queries.store_secrets(session, "ap", "root", {"private_key": old}, keyring)
        rotate.begin(session, keyring, "ap", "private_key", new, actor="a")
    assert rotate.go_on(inventory, keyring, "ap", actor="a").finished
    inventory.close()
    kept = keys.read_text("utf-8").splitlines()
    assert kept[0].endswith("another's")
    assert kept[1:] == [rotate.public_key(Secrets("x", "root", {"private_key": new}))]
    path = tmp_path / "key"
    path.write_text(new, "utf-8")
    path.chmod(0o600)
    shown = subprocess.run(["ssh-keygen", "-y", "-f", path], check=True, capture_output=True,
                           text=True).stdout  # fmt: skip
    assert shown.split()[1] in kept[1], "OpenSSH reads the key that we make"
