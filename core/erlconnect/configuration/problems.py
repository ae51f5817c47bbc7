"""What is wrong with a configuration file, and on which line.

Guesses what somebody meant to type.

A value with the file and the line where it is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from erlconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from erlconnect.configuration.paths import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that has to be corrected; ``line`` is ``None`` where the whole file is meant."""

    path: Path
    line: int | None
    message: str
    remedy: str

    @property
    def where(self) -> str:
        """The file with the line, for people."""
        return written_where(self.path, self.line)

    def error(self) -> ProblemError:
        """Give it as the error with which a command ends."""
        return ProblemError(self)


class ProblemError(ConfigurationError):
    """A configuration file that cannot be used."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.where}: {problem.message}", remedy=problem.remedy)
        self.problem = problem


def written_where(path: Path, line: int | None) -> str:
    """Name a line of a file."""
    return f"{path}, line {line}" if line else str(path)


def did_you_mean(word: str, possibilities: Iterable[str]) -> str:
    """Return ``"Did you mean 'x'? "`` for a word near one of ``possibilities``, else nothing."""
    import difflib  # noqa: PLC0415 - only a mistake pays for it

    near = difflib.get_close_matches(word, sorted(possibilities), n=1)
    return f"Did you mean {near[0]!r}? " if near else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigValue:
    """One value of a profile. ``table`` is the TOML table around it, e.g. ``profiles.staging``."""

    value: object
    path: Path
    scope: Scope
    line: int | None
    table: str

    @property
    def where(self) -> str:
        """The file with the line, for people."""
        return written_where(self.path, self.line)

    def problem(self, message: str, remedy: str) -> Problem:
        """Return what is wrong with it."""
        return Problem(path=self.path, line=self.line, message=message, remedy=remedy)
