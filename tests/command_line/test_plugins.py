"""The command `plugins`: what is installed, and the settings of one plugin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from command_line.running import erlconnect

if TYPE_CHECKING:
    from pathlib import Path


def test_plugins_lists_what_is_installed(tmp_path: Path) -> None:
    shown = erlconnect("plugins", "--json", home=tmp_path)
    rows = {event["name"]: event for event in map(json.loads, shown.stdout.splitlines())}
    assert {"fixed", "dns", "env", "file", "command", "prompt", "direct"} <= set(rows)
    assert rows["dns"]["offers"][0]["kind"] == "backend"
    assert rows["dns"]["built_in"]


def test_plugins_shows_the_settings_of_one(tmp_path: Path) -> None:
    shown = erlconnect("plugins", "direct", home=tmp_path)
    assert "-o transport.family=" in shown.stdout
