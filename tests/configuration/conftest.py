"""What the tests of configuration files share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from configuration.homes import Home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home without files; the working directory is inside of its project."""
    home = Home(tmp_path)
    home.work.mkdir(parents=True)
    monkeypatch.chdir(home.work)
    return home
