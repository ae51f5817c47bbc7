"""What is wrong with a configuration file, and on which line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from erlconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


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
