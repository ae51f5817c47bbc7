"""From the words of a command line to what a session is to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from command_line.running import erlconnect

if TYPE_CHECKING:
    from pathlib import Path


def test_a_misspelt_backend_gets_a_suggestion(tmp_path: Path) -> None:
    shown = erlconnect("-b", "dsn", "shop", home=tmp_path)
    assert shown.returncode == 78
    assert "dns" in shown.stderr


def test_a_misspelt_setting_gets_a_suggestion(tmp_path: Path) -> None:
    shown = erlconnect("-b", "dns", "-o", "sever=1.2.3.4", "shop", home=tmp_path)
    assert shown.returncode == 2
    assert "server" in shown.stderr


def test_visible_is_refused_where_nobody_can_be_asked(tmp_path: Path) -> None:
    for more in ([], ["--no-input"]):
        shown = erlconnect("-b", "fixed", "a@127.0.0.1", "--visible", *more, home=tmp_path)
        assert shown.returncode == 2
        assert "--visible" in shown.stderr
