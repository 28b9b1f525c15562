"""The second half of a config's way to a device: committing it, confirming it, taking it back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from napalm.base.exceptions import (
    CommandTimeoutException,
    CommitError,
    ConnectionClosedException,
    ConnectionException,
    LockError,
)

from napalm_openwrt import confirming, transaction
from napalm_openwrt.beyond import beyond_napalm
from napalm_openwrt.session import Access, Session
from napalm_openwrt.transaction import new_commit_id
from napalm_openwrt.uci_text import Config, UciSyntaxError, parse

MIN_REVERT_S = 5
RELOADS = 3
"""How often services are told to reload while that cuts us off."""


class Committing:
    """What `OpenWrtDriver` does with a candidate that is loaded."""

    access: Access
    mask_secrets: bool
    username: str
    timeout: int
    _candidate: Config | None = None
    """The packages as they would be after a commit."""
    _base: dict[str, str] = {}  # noqa: RUF012 - replaced as a whole, never changed
    """Text of the files that the candidate was computed against."""
    next_commit_id: str | None = None
    """Id of the next commit, for callers that note it down before they touch the device."""
    last_commit_id: str | None = None
    """Id of our newest commit; None where it changed nothing, or is confirmed."""
    unfinished: str = ""
    """Id of a commit that had not ended when the config was read last, so that what was read may
    yet go back; or that changed it meanwhile.
    """

    @property
    def session(self) -> Session:
        """The open session."""
        raise NotImplementedError

    def open(self) -> None:
        """Sign in anew."""
        raise NotImplementedError

    def discard_config(self) -> None:
        """Forget the candidate. Nothing of it was left on the device."""
        self._candidate, self._base = None, {}

    def commit_config(self, message: str = "", revert_in: int | None = None) -> None:
        """Put the candidate in place, keep a snapshot, reload the services it touches.

        Parameters
        ----------
        message
            Kept with the commit on the device; never put a secret in it.
        revert_in
            Seconds, at least 5, after which the device takes the commit back by itself unless
            `confirm_commit` came before. None: the commit is confirmed at once.

        Raises
        ------
        CommitError
            The device was not changed, or does not hold what was meant: the message says which.
        LockError
            Another session is committing, or another commit waits to be confirmed.
        """
        if revert_in is not None and (type(revert_in) is not int or revert_in < MIN_REVERT_S):
            raise CommitError(
                f"revert_in={revert_in!r}: give whole seconds, at least {MIN_REVERT_S}"
            )
        if self._candidate is None:
            return
        running = parsed(self._base, CommitError)
        changed = {
            name: package
            for name, package in self._candidate.items()
            if running.get(name) != package
        }
        if changed:
            base = {name: text for name, text in self._base.items() if name in changed}
            terms = transaction.Commit(
                self.next_commit_id or new_commit_id(), f"{self.username} through NAPALM",
                message, revert_in,
            )  # fmt: skip
            confirming.checked(terms.id)
            self.next_commit_id = None
            before, self.last_commit_id = self.last_commit_id, terms.id
            try:
                transaction.commit(self.session, changed, base, terms)
            except LockError:  # nothing began: what is to be confirmed is what was
                self.last_commit_id = before
                raise
            except (ConnectionClosedException, CommandTimeoutException) as error:
                self._come_back_to(terms.id, changed, error)
        else:
            self.last_commit_id = None
        self.discard_config()

    def confirm_commit(self) -> None:
        """Confirm the pending commit, over a new connection: the one that made it may live on
        where no other can come in any more.

        Raises
        ------
        CommitError
            There is none, or it has reverted.
        ConnectionException
            The device does not let us in; it will revert by itself.
        """
        identity, self.last_commit_id = self.last_commit_id, None
        self.open()
        if identity is None:
            pending = self.pending_commit()
            if pending is None:
                raise CommitError(f"{self.access.name}: no commit waits to be confirmed")
            identity = str(pending["id"])
        confirming.confirm(self.session, identity)

    def has_pending_commit(self) -> bool:
        """Whether a commit waits to be confirmed."""
        return self.pending_commit() is not None

    @beyond_napalm
    def pending_commit(self) -> dict[str, Any] | None:
        """The commit that waits to be confirmed: `id`, `message`, `owner`, `remaining_s` (0: it
        is being taken back), or None.
        """
        for kept in confirming.status(self.session):
            if kept.state == "pending":
                return {"id": kept.id, "message": kept.message, "owner": kept.owner,
                        "remaining_s": kept.remaining_s}  # fmt: skip
        return None

    @beyond_napalm
    def commits(self) -> list[dict[str, str]]:
        """The newest commits, newest first: `id`, `message`, `state` (`pending`, `confirmed` or
        `reverted`).
        """
        return [
            {"id": kept.id, "message": kept.message, "state": kept.state}
            for kept in confirming.status(self.session)
        ]

    @beyond_napalm
    def commit_state(self, identity: str) -> str:
        """How a commit stands: `pending`, `confirmed`, `reverted`, or `unknown`: it never began,
        or is forgotten. An unknown id is void from then on: a commit of it that is still on its
        way cannot begin any more.

        Raises
        ------
        LockError
            Another session is at it, so nothing can be said yet.
        """
        return confirming.state_of(self.session, identity)

    def _come_back_to(self, identity: str, meant: Config, cut: Exception) -> None:
        """A commit cut us off, or the line broke: see what became of it."""
        name = self.access.name
        try:
            self.open()
            state = confirming.state_of(self.session, identity)
        except (ConnectionException, ConnectionClosedException, LockError) as error:
            raise CommitError(
                f"{name}: the connection broke in the commit {identity}, and nothing can be said "
                f"of it, as the device does not let us in: {error}"
            ) from None
        if state in {"unknown", "reverted"}:
            raise CommitError(f"{name}: {cut}; the old config is untouched")
        transaction.assert_running(
            self.session, meant, transaction.read_packages(self.session, meant)
        )

    @beyond_napalm
    def reload(self, packages: Iterable[str]) -> None:
        """Reload the services of `packages` as they stand in /etc/config.

        For a commit that was cut off after its files were in place: the device holds what was
        meant, and may still run what it had before.

        Raises
        ------
        CommitError
            A service did not reload, or the device did not come back.
        """
        found = transaction.read_packages(self.session, packages)
        self._reload(parsed(found, CommitError))

    def _reload(self, meant: Config) -> None:
        """Reload services. Where that cuts us off, come back, see that the config is there, and
        reload again: nothing tells whether the first word of it arrived.
        """
        for _ in range(RELOADS):
            try:
                transaction.reload_services(self.session, meant)
            except (ConnectionClosedException, CommandTimeoutException):
                self._come_back(meant)
            else:
                return
        raise CommitError(
            f"{self.access.name}: the config is in place, but the connection was lost {RELOADS} "
            f"times while its services were reloaded, so nothing says that they run it; try again"
        )

    def _come_back(self, meant: Config) -> None:
        try:
            self.open()
        except ConnectionException as error:
            raise CommitError(
                f"{self.access.name}: the config is in place, but the device does not let us in "
                f"since its services were reloaded: {error}"
            ) from None
        transaction.assert_running(
            self.session, meant, transaction.read_packages(self.session, meant)
        )

    def rollback(self) -> None:
        """Take a pending commit back now; else put back what the newest confirmed one replaced;
        once more goes one commit further back.

        The files are put back as they were before that commit, byte for byte: what anybody
        changed in them since, by hand too, is lost. Look first, with `get_config`.

        Raises
        ------
        CommitError
            The device keeps no commit that could be taken back, or it could not be put back.
        """
        self.discard_config()
        standing = [k for k in confirming.status(self.session) if k.state != "reverted"]
        if not standing:
            raise CommitError(f"{self.access.name}: there is no commit to roll back")
        self._take_back(standing[0].id)

    @beyond_napalm
    def rollback_to(self, identity: str) -> None:
        """Undo exactly the commit `identity`; where it has reverted already there is nothing to do.

        Raises
        ------
        CommitError
            It is not the newest one that stands, is unknown, or could not be put back.
        """
        self.discard_config()
        kept = confirming.status(self.session)
        found = next((k for k in kept if k.id == identity), None)
        if found is None:
            raise CommitError(f"{self.access.name}: the device knows no commit {identity}")
        if found.state == "reverted":
            return
        newest = next(k for k in kept if k.state != "reverted")
        if newest.id != identity:
            raise CommitError(
                f"{self.access.name}: the commit {newest.id} came after {identity}; take that one "
                f"back first"
            )
        self._take_back(identity)

    def _take_back(self, identity: str) -> None:
        """Have a commit taken back; where that cuts us off, come back and see."""
        try:
            state = confirming.take_back(self.session, identity, f"rollback by {self.username}")
        except (ConnectionClosedException, CommandTimeoutException):
            self.open()
            state = confirming.state_of(self.session, identity)
        deadline = time.monotonic() + self.timeout
        while state == "pending" and time.monotonic() < deadline:
            time.sleep(1)
            state = confirming.state_of(self.session, identity)
        if state != "reverted":
            raise CommitError(
                f"{self.access.name}: the commit {identity} is {state}, not taken back"
                + ("; the device goes on trying" if state == "pending" else "")
            )


def parsed(files: dict[str, str], fault: type[Exception]) -> Config:
    """Files of /etc/config as data; `fault` names the file that uci itself could not read."""
    config: Config = {}
    for name, text in files.items():
        try:
            config[name] = parse(text, name)[name]
        except UciSyntaxError as error:
            raise fault(f"/etc/config/{name} on the device is broken: {error}") from error
    return config
