"""The manual page: in the wheel, whole, and without a warning from what shows it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from pages import PROJECT
from typer.main import get_command
from world.missing import require

from erlconnect.command_line.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACE = "share/man/man1/erlconnect.1"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one in a wheel that is built for the test."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        timeout=100,
    )
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        [name] = [one for one in archive.namelist() if one.endswith(PLACE)]
        assert re.fullmatch(rf"erlconnect-[\d.]+\.data/data/{PLACE}", name)
        file = folder / "erlconnect.1"
        file.write_bytes(archive.read(name))
    return file


def shown(page: Path) -> str:
    require("man", shutil.which("man") is not None)
    done = subprocess.run(
        ["man", "--warnings=w", "-l", page],
        env={**os.environ, "MANWIDTH": "100", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


def all_commands(group: Any, before: str = "erlconnect") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        yield f"{before} {name}", command
        if hasattr(command, "commands"):
            yield from all_commands(command, f"{before} {name}")


def test_it_is_shown_without_a_warning_and_names_all(page: Path) -> None:
    text = shown(page)
    headings = [line for line in text.splitlines() if re.match(r"[A-Z]{3}", line)]
    assert headings[1:] == [
        *("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "EXIT STATUS", "SEE ALSO")
    ]
    whole = " ".join(text.split())
    for name, command in all_commands(get_command(app)):
        assert re.search(rf"^   {name}\b", text, re.MULTILINE), name
        for option in command.params:
            if option.param_type_name == "option":
                for word in option.opts:
                    assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", whole), (name, word)


def test_what_roff_would_take_for_a_command_stays_text(page: Path) -> None:
    text = shown(page)
    assert "-o server=127.0.0.1:5353 --json" in text
    assert "~/.erlang.cookie" in text
    assert "'ssh -W %h:%p bastion'" in text
