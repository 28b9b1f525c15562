"""Switches: NAPALM's own drivers, with what a rollout asks for beyond them.

Host keys and certificates are checked, errors are one line without a secret, a diff is masked, and
where a platform can name its commits (EOS, by its sessions) the caller chooses the name.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

from napalm.base.exceptions import (
    CommandErrorException,
    CommitError,
    ConnectionClosedException,
    NapalmException,
)

from inventory.platforms import WEB, stable
from inventory.records import DeviceRecord, Secrets
from provisioning.history.secret_references import without_secrets
from provisioning.platforms.switch_access import (
    Folder,
    explained,
    quieten,
    ssh_arguments,
    web_arguments,
)

MASK = "•••"
SECRETS = ("password", "passphrase", "private_key", "enable_password", "snmp_community")


class Switch:
    """One switch over one of NAPALM's drivers, closed until `open`."""

    MINUTES = False
    """Whether it counts the time to confirm in whole minutes."""
    COMMENTS = False
    """Whether a commit carries a message."""

    def __init__(
        self, platform: str, device: DeviceRecord, secrets: Secrets, key: str, *,
        commit_id: str | None, timeout: float,
    ) -> None:  # fmt: skip
        """Keep what is needed to sign in; nothing is sent before `open`."""
        self.platform, self.device, self.timeout = platform, device, timeout
        self.next_commit_id = commit_id
        self._secrets, self._key = secrets, key
        self._driver: Any = None
        self._folder: Folder | None = None

    def __repr__(self) -> str:
        """Its id only: passwords must never reach a log."""
        return f"Switch({self.platform}, {self.device.id})"

    # Connection

    def open(self) -> None:
        """Sign in, the host key or the certificate checked first."""
        self.close()
        quieten()
        self._folder = Folder()
        try:
            driver = self._made(self._folder)
            try:
                driver.open()
            except Exception as error:
                raise explained(self.device, self._secrets, error) from None
        except BaseException:
            self.close()
            raise
        self._driver = driver

    def _made(self, folder: Folder) -> Any:
        """NAPALM's driver, with arguments that make it check who the device is."""
        from napalm import get_network_driver

        arguments: dict[str, Any] = {}
        if self.platform != "eos":
            arguments |= ssh_arguments(self.device, self._secrets, self._key, folder, self.timeout)
        if self.platform in WEB:
            arguments |= web_arguments(self.device, self._secrets, folder)
        return get_network_driver(self.platform)(
            self.device.management_address, self._secrets.username or "admin",
            self._secrets.values.get("password", ""), timeout=self.timeout,
            optional_args=arguments,
        )  # fmt: skip

    def close(self) -> None:
        """Sign out. A candidate is dropped, a commit that waits to be confirmed goes on waiting."""
        if self._driver is not None:
            self._let_go()
            # It is gone either way.
            with contextlib.suppress(Exception):
                self._driver.close()
            self._driver = None
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def _let_go(self) -> None:
        """Before the driver is closed: keep it from taking back what waits to be confirmed."""

    def is_alive(self) -> dict[str, bool]:
        """Whether the connection stands."""
        if self._driver is None:
            return {"is_alive": False}
        return {"is_alive": bool(self._do(self._driver.is_alive)["is_alive"])}

    # Configuration

    def load_merge_candidate(self, filename: str | None = None, config: str | None = None) -> None:
        """Load lines that are merged into what runs; MergeConfigException if they are faulty."""
        self._load("load_merge_candidate", filename, config)

    def load_replace_candidate(
        self, filename: str | None = None, config: str | None = None
    ) -> None:
        """Load a whole config in place of what runs, or ReplaceConfigException."""
        self._load("load_replace_candidate", filename, config)

    def _load(self, method: str, filename: str | None, config: str | None) -> None:
        driver = self._opened()
        if filename is None:
            # Drivers would put the text into a file that everybody can read.
            self._folder = self._folder or Folder()
            filename = self._folder.put("candidate", config or "")
        self._before_load()
        self._do(getattr(driver, method), filename=filename)

    def _before_load(self) -> None:
        """Hook: a session is about to be made on the device."""

    def compare_config(self) -> str:
        """What the candidate would change, secrets as •••, or ""."""
        return self._masked_diff(str(self._do(self._opened().compare_config) or ""))

    def result(self) -> str | None:
        """The config as it would be after a commit; None where the platform does not tell."""
        return None

    def discard_config(self) -> None:
        """Drop the candidate."""
        self._do(self._opened().discard_config)

    def commit_config(self, message: str = "", revert_in: int | None = None) -> None:
        """Put the candidate in place; with `revert_in` (s) it reverts unless it is confirmed.

        Raises
        ------
        NotImplementedError
            `revert_in` was given and the platform cannot revert by itself.
        """
        arguments: dict[str, Any] = {"message": message} if self.COMMENTS and message else {}
        if revert_in is not None:
            # Rather a minute more than less than what was asked for.
            arguments["revert_in"] = -(-revert_in // 60) * 60 if self.MINUTES else revert_in
        self._do(self._opened().commit_config, **arguments)

    def confirm_commit(self) -> None:
        """Confirm what waits, over a new connection; CommitError if nothing does."""
        self.open()
        if not self.has_pending_commit():
            raise CommitError(f"{self._where()}: no commit waits: it has reverted, or never was")
        self._do(self._opened().confirm_commit)

    def has_pending_commit(self) -> bool:
        """Whether a commit waits to be confirmed."""
        try:
            return bool(self._do(self._opened().has_pending_commit))
        except NotImplementedError:
            return False

    def pending_commit(self) -> dict[str, Any] | None:
        """The commit that waits; its id is unknown where the platform names none."""
        if not self.has_pending_commit():
            return None
        return {"id": "", "message": "", "owner": "", "remaining_s": None}

    def commits(self) -> list[dict[str, Any]]:
        """Commits that the device names, newest first: none, on most platforms."""
        return []

    def commit_state(self, commit_id: str) -> str:
        """`pending` or `unknown`: what runs tells the rest."""
        del commit_id
        return "pending" if self.has_pending_commit() else "unknown"

    def rollback(self) -> None:
        """Take back what waits to be confirmed, or else the newest commit."""
        self._do(self._opened().rollback)

    def rollback_to(self, commit_id: str) -> None:
        """Take back exactly this commit.

        Raises
        ------
        CommitError
            It is not what waits, and nothing on the device tells whether it is the newest.
        """
        if not self.has_pending_commit():
            raise CommitError(
                f"{self._where()}: {self.platform} does not tell whether commit {commit_id} is the "
                f"newest one; look at the switch, and push what it shall run as a new change"
            )
        self.rollback()

    def get_config(
        self, retrieve: str = "all", full: bool = False, sanitized: bool = False,
        format: str = "text",
    ) -> dict[str, str]:  # fmt: skip
        """The config, without lines that change at every look."""
        found = self._do(
            self._opened().get_config, retrieve=retrieve, full=full, sanitized=sanitized,
            format=format,
        )  # fmt: skip
        return {name: stable(str(text)) if text else "" for name, text in found.items()}

    def cli(self, commands: list[str], encoding: str = "text") -> dict[str, Any]:
        """Output of each command."""
        found: dict[str, Any] = self._do(self._opened().cli, commands, encoding=encoding)
        return found

    def get_facts(self) -> dict[str, Any]:
        """NAPALM's facts."""
        found: dict[str, Any] = self._do(self._opened().get_facts)
        return found

    def get_interfaces(self) -> dict[str, dict[str, Any]]:
        """NAPALM's interfaces."""
        found: dict[str, dict[str, Any]] = self._do(self._opened().get_interfaces)
        return found

    def getter(self, name: str, **arguments: Any) -> Any:
        """Any other of NAPALM's getters, by name."""
        if not re.fullmatch(r"get_[a-z_]+|ping|traceroute", name):
            raise ValueError(f"{name!r} is no getter")
        return self._do(getattr(self._opened(), name), **arguments)

    # Helpers

    def _opened(self) -> Any:
        if self._driver is None:
            raise ConnectionClosedException(f"{self._where()}: not connected; call open() first")
        return self._driver

    def _where(self) -> str:
        return f"{self.device.management_address}"

    def _do(self, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Call a driver; what it raises becomes one of NAPALM's errors, in one masked line."""
        try:
            return call(*args, **named)
        except NotImplementedError as error:
            raise NotImplementedError(f"{self._where()}: {self.platform}: {error}") from None
        except Exception as error:
            text = f"{self._where()}: {self._masked(' '.join(str(error).split()))[:400]}"
            if isinstance(error, NapalmException):
                raise type(error)(text) from None
            if isinstance(error, OSError | EOFError):
                raise ConnectionClosedException(f"{text} (the connection broke)") from None
            raise CommandErrorException(f"{text} ({type(error).__name__})") from None

    def _masked(self, text: str) -> str:
        values = (self._secrets.values.get(name, "") for name in SECRETS)
        for secret in sorted(filter(None, values), key=len, reverse=True):
            text = text.replace(secret, MASK)
        # Devices quote the line that they refuse.
        return re.sub(
            r"'([^']+)'", lambda m: f"'{without_secrets(m[1], _mask, self.platform)}'", text
        )

    def _masked_diff(self, diff: str) -> str:
        """A diff's lines carry a sign; what tells a secret looks for the line's own beginning."""
        lines = []
        for line in diff.split("\n"):
            sign, rest = (line[:1], line[1:]) if line[:1] in "+-" else ("", line)
            lines.append(sign + without_secrets(rest, _mask, self.platform))
        return "\n".join(lines)


def _mask(_secret: str) -> str:
    return MASK


class IosSwitch(Switch):
    """Cisco IOS and IOS-XE over SSH; a commit that reverts needs the `archive` feature."""

    MINUTES = True


class JunosSwitch(Switch):
    """Junos over NETCONF."""

    MINUTES, COMMENTS = True, True

    def _made(self, folder: Folder) -> Any:
        from napalm import get_network_driver

        arguments = ssh_arguments(self.device, self._secrets, self._key, folder, self.timeout)
        key = self._secrets.values.get("private_key")
        # PyEZ opens an encrypted key with the password.
        password = self._secrets.values.get("passphrase" if key else "password", "")
        driver = get_network_driver("junos")(
            self.device.management_address, self._secrets.username or "admin", password,
            timeout=self.timeout,
            optional_args={
                "port": self.device.ssh_port,
                "key_file": folder.put("key", key) if key else None,
                # The one way to tell PyEZ which file of host keys counts.
                "ssh_config_file": folder.put(
                    "ssh_config", f'Host *\n  UserKnownHostsFile "{arguments["alt_key_file"]}"\n'
                ),
            },
        )  # fmt: skip
        # NAPALM passes none of these on, and PyEZ checks no host key unless told.
        driver.device._hostkey_verify = True
        driver.device._allow_agent = driver.device._look_for_keys = False
        return driver


KINDS: dict[str, type[Switch]] = {"ios": IosSwitch, "junos": JunosSwitch}


def switch_driver(
    platform: str, device: DeviceRecord, secrets: Secrets, key: str, *,
    commit_id: str | None, timeout: float,
) -> Switch:  # fmt: skip
    """A closed driver for a switch."""
    from provisioning.platforms.switch_eos import EosSwitch

    kind = EosSwitch if platform == "eos" else KINDS.get(platform, Switch)
    return kind(platform, device, secrets, key, commit_id=commit_id, timeout=timeout)
