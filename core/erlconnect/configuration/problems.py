"""Values of the configuration with the places where they were set, and what is wrong with them.

Every check of files reports a ``Problem``, which names the file and the line. Suggestions for
mistyped words are made here, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from erlconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigValue:
    """One value of a setting, and where it was set: in a file, or by a variable.

    ``line`` and ``table`` (the TOML table around it, e.g. ``profiles.staging``) belong to ``path``.
    """

    value: object
    path: Path | None = None
    line: int | None = None
    table: str = ""
    variable: str = ""

    @property
    def where(self) -> str:
        """The place, for people."""
        if self.path is None:
            return f"the variable {self.variable}"
        return written_where(self.path, self.line)

    @property
    def file(self) -> Path:
        """The file of a value that is known to be set in one."""
        assert self.path is not None  # noqa: S101 - values of profiles always have a file
        return self.path

    def problem(self, message: str, remedy: str) -> Problem:
        """Return a problem at the place of this value, which must be set in a file."""
        return Problem(path=self.file, line=self.line, message=message, remedy=remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a file; ``line`` is ``None`` where it concerns the whole file."""

    path: Path
    line: int | None
    message: str
    remedy: str

    @property
    def where(self) -> str:
        """The file with the line, for people."""
        return written_where(self.path, self.line)

    def error(self) -> ProblemError:
        """Return the error with which a command ends."""
        return ProblemError(self)


class ProblemError(ConfigurationError):
    """A configuration file that cannot be used."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.where}: {problem.message}", remedy=problem.remedy)
        self.problem = problem


def written_where(path: Path, line: int | None) -> str:
    """Return the name of a line of a file, for people."""
    return f"{path}, line {line}" if line else str(path)


def did_you_mean(word: str, possibilities: Iterable[str]) -> str:
    """Return ``"Did you mean 'x'? "`` for a word near one of ``possibilities``, else nothing."""
    import difflib  # noqa: PLC0415 - needed after a mistake only

    near = difflib.get_close_matches(word, sorted(possibilities), n=1)
    return f"Did you mean {near[0]!r}? " if near else ""
