"""What a parsed script is made of."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Literal:
    """Plain text; quoted text is neither split nor matched as a pattern."""

    text: str
    quoted: bool = False


@dataclass(frozen=True)
class Param:
    """`$name` or `${name<op>word}`; op is one of "", "-", ":-", "=", "#", "##", "length" …"""

    name: str
    op: str = ""
    word: Word | None = None
    quoted: bool = False


@dataclass(frozen=True)
class Substitution:
    """`$(…)` or backticks."""

    body: Sequence
    quoted: bool = False


@dataclass(frozen=True)
class Arithmetic:
    """`$((…))`."""

    word: Word
    quoted: bool = False


Part = Literal | Param | Substitution | Arithmetic


@dataclass(frozen=True)
class Word:
    """A word before expansion."""

    parts: tuple[Part, ...]

    @property
    def plain(self) -> str | None:
        """Its text where it is one unquoted literal: the only form a reserved word has."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Literal):
            return None if self.parts[0].quoted else self.parts[0].text
        return None


@dataclass
class Redirect:
    """`fd op target`; op is one of < > >> >| <> <& >& and <<.

    A here-document's text becomes the target when it is read, after the line it stands on.
    """

    fd: int
    op: str
    target: Word


@dataclass(frozen=True)
class Simple:
    """Assignments, words and redirections of a simple command."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True)
class Pipeline:
    """Commands joined by `|`."""

    commands: tuple[Command, ...]
    negated: bool


@dataclass(frozen=True)
class AndOr:
    """A pipeline and what follows it by && or ||."""

    first: Pipeline
    rest: tuple[tuple[str, Pipeline], ...]


@dataclass(frozen=True)
class Sequence:
    """Commands in order; True marks one that runs in the background."""

    items: tuple[tuple[AndOr, bool], ...]


@dataclass(frozen=True)
class Group:
    """`{ …; }`."""

    body: Sequence


@dataclass(frozen=True)
class Subshell:
    """`( … )`."""

    body: Sequence


@dataclass(frozen=True)
class If:
    """`if`, with an `elif` for every further arm."""

    arms: tuple[tuple[Sequence, Sequence], ...]
    otherwise: Sequence | None


@dataclass(frozen=True)
class Loop:
    """`while`, or `until` where `until` is set."""

    condition: Sequence
    body: Sequence
    until: bool


@dataclass(frozen=True)
class For:
    """`for name in words`; words is None for the positional parameters."""

    name: str
    words: tuple[Word, ...] | None
    body: Sequence


@dataclass(frozen=True)
class Case:
    """`case word in pattern) … ;; esac`."""

    word: Word
    arms: tuple[tuple[tuple[Word, ...], Sequence], ...]


@dataclass(frozen=True)
class Function:
    """`name() body`."""

    name: str
    body: Command


@dataclass(frozen=True)
class Redirected:
    """A compound command with redirections."""

    command: Command
    redirects: tuple[Redirect, ...] = field(default=())


Command = Simple | Group | Subshell | If | Loop | For | Case | Function | Redirected
