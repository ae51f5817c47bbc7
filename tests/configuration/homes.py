"""A user's home with a configuration file, and a project with one of its own."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING

from erlconnect.configuration.files import Configuration, read_configuration

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """``folder`` is the user's home; the project lies in it, and the user works in a part of it."""

    folder: Path

    @property
    def user_file(self) -> Path:
        return self.folder / ".config" / "erlconnect" / "config.toml"

    @property
    def project_file(self) -> Path:
        return self.folder / "project" / "erlconnect.toml"

    @property
    def work(self) -> Path:
        return self.folder / "project" / "apps" / "shop"

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.folder)}

    def user(self, text: str) -> None:
        """Write the user's own file."""
        write(self.user_file, text)

    def project(self, text: str) -> None:
        """Write the project's file."""
        write(self.project_file, text)

    def read(self, named: Path | None = None, **variables: str) -> Configuration:
        """Read as a command in ``work`` does."""
        return read_configuration(named, environment={**self.environment, **variables})


def write(path: Path, text: str) -> Path:
    """Write a file whose text may be indented; its first line is the one after the quotes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text.removeprefix("\n")), encoding="utf-8")
    return path
