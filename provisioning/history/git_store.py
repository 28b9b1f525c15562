"""Kept configs in a bare git repository, by git's own plumbing: no work tree, no checkout.

A person may clone it, mirror it and read it with any git. What is asked all the time, the versions
of one file, is answered from an index beside it (`cache/history.db`), which is made again from the
repository whenever it does not fit: so it costs the same however many other files there are.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from farola.errors import ProvisioningError
from farola.files import locked

BRANCH = "refs/heads/main"
EMAIL = "farola@localhost"
LOOSE_IN_ONE = 30
"""Loose objects in one of 256 folders from which on all are packed; as `git gc --auto` does."""
MOST_PACKS = 50
LEFT_BEHIND_S = 10.0
_COMMIT = re.compile(rb"[0-9a-f]{40}|[0-9a-f]{64}")
_CHUNK = 500
_TABLES = """
CREATE TABLE IF NOT EXISTS head (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS version (
  number INTEGER PRIMARY KEY, path TEXT NOT NULL, commit_id TEXT NOT NULL, blob TEXT NOT NULL,
  at INTEGER NOT NULL, mark TEXT NOT NULL, author TEXT NOT NULL, cause TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS version_path ON version (path, number);
"""


@dataclass(frozen=True)
class Revision:
    """A version of a file: `at` in UTC without a zone, to the second."""

    commit: str
    blob: str
    at: datetime
    mark: str
    author: str
    cause: str


@dataclass(frozen=True)
class Commit:
    """What is to be committed together: the files' new contents by path."""

    files: Mapping[str, bytes]
    author: str
    cause: str
    at: datetime


class GitStore:
    """One repository; safe between processes and threads, as `lock` is held while writing."""

    def __init__(self, folder: Path, index: Path, mark: Callable[[bytes], str]) -> None:
        """`mark` makes a version's mark of its content."""
        self.folder, self._index, self._mark = folder, index, mark

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep others from writing; the repository is there then."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with locked(self.folder / ".lock"):
                self._make()
                yield
        except OSError as error:
            raise ProvisioningError(
                f"{self.folder}: configs cannot be kept: {error.strerror}; make room or give it "
                "back to this user"
            ) from None

    def versions(self, path: str) -> list[Revision]:
        """The versions of a file, the oldest first."""
        with self._fresh() as index:
            rows = index.execute(
                "SELECT commit_id, blob, at, mark, author, cause FROM version WHERE path = ? "
                "ORDER BY number", (path,),
            ).fetchall()  # fmt: skip
        return [_revision(row) for row in rows]

    def newest(self, paths: Iterable[str]) -> dict[str, Revision]:
        """The newest version of each of `paths` that has one."""
        found = {}
        with self._fresh() as index:
            for path in paths:
                row = index.execute(
                    "SELECT commit_id, blob, at, mark, author, cause FROM version WHERE path = ? "
                    "ORDER BY number DESC LIMIT 1", (path,),
                ).fetchone()  # fmt: skip
                if row:
                    found[path] = _revision(row)
        return found

    def read(self, blobs: Sequence[str]) -> list[bytes]:
        """The contents of `blobs`; ProvisioningError where one is gone."""
        if not blobs:
            return []
        out = self._git("cat-file", "--batch", stdin="\n".join([*blobs, ""]).encode())
        found, position = [], 0
        for blob in blobs:
            end = out.index(b"\n", position)
            words = out[position:end].split()
            if len(words) != 3:
                raise ProvisioningError(
                    f"{self.folder}: {blob} is missing: run `git fsck` there, or put the folder "
                    "back from a backup"
                )
            position = end + 1 + int(words[2])
            found.append(out[end + 1 : position])
            position += 1
        return found

    def commit(self, commits: Sequence[Commit]) -> None:
        """Add commits in their order; call it with the lock held."""
        old = self._head()
        if old:
            self._sync(old)
        self._sweep()
        parts: list[bytes] = [b"feature done\n"]
        for number, one in enumerate(commits):
            parts += _stream(one, old if number == 0 else "")
        parts.append(b"done\n")
        self._git("fast-import", "--quiet", "--done", stdin=b"".join(parts))
        new = self._head()
        if len(commits) == 1:
            rows = [
                (path, new, blob_id(data), _stamp(one.at), self._mark(data), _line(one.author),
                 _line(one.cause))
                for one in commits for path, data in one.files.items()
            ]  # fmt: skip
            with self._open() as index:
                _add_rows(index, rows, new)
        else:
            self._sync(new)
        if self._is_untidy():
            self.tidy()

    def tidy(self) -> None:
        """Pack what is loose, and note which files each commit changed: quick for any git."""
        self._git("repack", "-d", "-q", "--geometric=2")
        self._git(
            "commit-graph", "write", "--reachable", "--changed-paths", "--split", "--no-progress"
        )

    def _sweep(self) -> None:
        """Remove what a git that was killed, or lost its power, left behind: it would stop the
        next. Ours are gone, as the lock is held; a person's is given some seconds.
        """
        info = self.folder / "objects" / "info" / "commit-graphs"
        left = [
            *(self.folder / name for name in (f"{BRANCH}.lock", "packed-refs.lock", "HEAD.lock")),
            info / "commit-graph-chain.lock",
            *(self.folder / "objects" / "pack").glob("tmp_*"),
        ]
        for path in left:
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > LEFT_BEHIND_S:
                    path.unlink()

    def _is_untidy(self) -> bool:
        objects = self.folder / "objects"
        loose = objects / "17"
        packs = objects / "pack"
        return (loose.is_dir() and sum(1 for _ in loose.iterdir()) > LOOSE_IN_ONE) or (
            packs.is_dir() and sum(p.suffix == ".pack" for p in packs.iterdir()) > MOST_PACKS
        )

    def _make(self) -> None:
        if not (self.folder / "HEAD").exists():
            self._git("init", "--quiet", "--bare", "--initial-branch=main")
            # Street cabinets lose their power: what is committed is on the disk.
            for name, value in (("core.fsync", "committed,reference"), ("gc.auto", "0"),
                                ("core.sharedRepository", "0600")):  # fmt: skip
                self._git("config", name, value)
        for name in ("refs/heads", "objects/info", "objects/pack"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)  # a backup has no empty ones

    def _head(self) -> str:
        """The newest commit; "" before the first."""
        with contextlib.suppress(FileNotFoundError):
            found = (self.folder / BRANCH).read_bytes().strip()
            if not _COMMIT.fullmatch(found):  # to begin anew here would hide all that was kept
                raise ProvisioningError(
                    f"{self.folder / BRANCH} is damaged: write the commit into it that `git fsck "
                    "--lost-found` names there, or put the folder back from a backup"
                )
            return found.decode()
        with contextlib.suppress(FileNotFoundError):
            for line in (self.folder / "packed-refs").read_text(encoding="utf-8").splitlines():
                if line.endswith(f" {BRANCH}"):
                    return line.split()[0]
        return ""

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The index, one transaction; one that is damaged is made again."""
        self._index.parent.mkdir(parents=True, exist_ok=True)
        index = sqlite3.connect(self._index, timeout=10)
        try:
            try:
                index.executescript(_TABLES)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                index.close()
                self._index.unlink()
                index = sqlite3.connect(self._index, timeout=10)
                index.executescript(_TABLES)
            with index:
                yield index
        except sqlite3.Error as error:
            raise ProvisioningError(
                f"{self._index}: {error}; make room, or remove that file: it is made again"
            ) from None
        finally:
            index.close()

    @contextlib.contextmanager
    def _fresh(self) -> Iterator[sqlite3.Connection]:
        """The index as the repository is now."""
        head = self._head()
        if head:
            with self._open() as index:
                if _indexed(index) == head:
                    yield index
                    return
            with self.lock():
                self._sync(self._head())
        with self._open() as index:
            yield index

    def _sync(self, head: str) -> None:
        """Bring the index to `head`: what came since, or all anew where it does not follow."""
        with self._open() as index:
            known = _indexed(index)
            if known == head:
                return
            span = head
            if known:
                follows = self._git("merge-base", known, head, fails=True).decode().strip()
                span = f"{known}..{head}" if follows == known else head
            if span == head:
                index.execute("DELETE FROM version")
            _add_rows(index, self._logged(span), head)

    def _logged(self, span: str) -> Iterator[tuple[str, str, str, int, str, str, str]]:
        """Rows of the index for the commits of `span`."""
        out = self._git(
            "log", "--reverse", "--raw", "--no-abbrev", "--no-renames", "--first-parent", "-m",
            "--format=%x01%H%x00%at%x00%an%x00%s", span, "--",
        ).decode("utf-8", "replace")  # fmt: skip
        found = []
        commit, at, author, cause = "", 0, "", ""
        for line in out.splitlines():
            if line.startswith("\x01"):
                commit, stamp, author, cause = line[1:].split("\0")
                at = int(stamp)
            elif line.startswith(":"):
                words, path = line.split("\t", 1)
                _, _, _, blob, status = words.split(" ")
                if status != "D":
                    found.append((path, commit, blob, at, author, cause))
        for start in range(0, len(found), _CHUNK):
            chunk = found[start : start + _CHUNK]
            contents = self.read([row[2] for row in chunk])
            for (path, one, blob, at, who, why), data in zip(chunk, contents, strict=True):
                yield path, one, blob, at, self._mark(data), who, why

    def _git(self, *words: str, stdin: bytes = b"", fails: bool = False) -> bytes:
        program = shutil.which("git")
        if program is None:
            raise ProvisioningError("git is missing: apt-get install git")
        environment = {
            "PATH": os.environ.get("PATH", ""), "GIT_DIR": str(self.folder), "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(self.folder),
        }  # fmt: skip
        done = subprocess.run(
            [program, *words], input=stdin, capture_output=True, check=False, env=environment
        )
        if done.returncode and not fails:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())[-300:]
            raise ProvisioningError(
                f"{self.folder}: git {words[0]}: {said}; make room, or run `git fsck` there"
            )
        return done.stdout


def blob_id(data: bytes) -> str:
    """The name that git gives to `data`."""
    digest = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
    return digest.hexdigest()


def _stream(one: Commit, parent: str) -> Iterator[bytes]:
    """A commit as fast-import reads it."""
    stamp = _stamp(one.at)
    author = _line(one.author).replace("<", "").replace(">", "") or "farola"
    message = _line(one.cause).encode("utf-8", "replace")
    yield f"commit {BRANCH}\nauthor {author} <{EMAIL}> {stamp} +0000\n".encode("utf-8", "replace")
    yield f"committer farola <{EMAIL}> {stamp} +0000\ndata {len(message)}\n".encode()
    yield message + b"\n"
    if parent:
        yield f"from {parent}\n".encode()
    for path, data in one.files.items():
        yield f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n"


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _stamp(at: datetime) -> int:
    return int(at.replace(tzinfo=UTC).timestamp())


def _revision(row: tuple[str, str, int, str, str, str]) -> Revision:
    commit, blob, at, mark, author, cause = row
    return Revision(
        commit, blob, datetime.fromtimestamp(at, UTC).replace(tzinfo=None), mark, author, cause
    )


def _indexed(index: sqlite3.Connection) -> str:
    row = index.execute("SELECT id FROM head").fetchone()
    return str(row[0]) if row else ""


def _add_rows(
    index: sqlite3.Connection,
    rows: Iterable[tuple[str, str, str, int, str, str, str]],
    head: str,
) -> None:
    index.executemany(
        "INSERT INTO version (path, commit_id, blob, at, mark, author, cause) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)", rows,
    )  # fmt: skip
    index.execute("DELETE FROM head")
    index.execute("INSERT INTO head VALUES (?)", (head,))
