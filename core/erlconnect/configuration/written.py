"""A value with the file and the line where it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from erlconnect.configuration.problems import Problem, written_where

if TYPE_CHECKING:
    from pathlib import Path

    from erlconnect.configuration.places import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
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
        """Give what is wrong with it."""
        return Problem(path=self.path, line=self.line, message=message, remedy=remedy)
