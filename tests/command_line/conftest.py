"""What the tests of commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from command_line.running import erlconnect
from configuration.homes import Home

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from command_line.running import Run


@pytest.fixture
def here(tmp_path: Path) -> Home:
    """A home without files, and a project in it."""
    home = Home(tmp_path)
    home.work.mkdir(parents=True)
    return home


@pytest.fixture
def run(here: Home) -> Run:
    """Run the installed command as the user of ``here`` does, inside of the project."""

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return erlconnect(*words, home=here.folder, folder=here.work, environment=variables)

    return run
