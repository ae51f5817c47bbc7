"""Options: which there are, and what their values may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from command_line.running import erlconnect

if TYPE_CHECKING:
    from pathlib import Path


def test_there_is_no_cookie_on_the_command_line(tmp_path: Path) -> None:
    shown = erlconnect("-b", "fixed", "a@127.0.0.1", "--cookie", "text", home=tmp_path)
    assert shown.returncode == 2


@pytest.mark.parametrize("option", ["--as", "--caller-name"])
@pytest.mark.parametrize("name", ["", "a b", "shop@a@b", "é", "x" * 250])
def test_a_name_that_no_node_can_have(option: str, name: str, tmp_path: Path) -> None:
    shown = erlconnect("-b", "fixed", "a@127.0.0.1", option, name, home=tmp_path)
    assert shown.returncode == 2
    assert f"{option}: " in shown.stderr
    assert f"`{option} " in shown.stderr


def test_the_alias_is_the_part_before_the_at_alone(tmp_path: Path) -> None:
    shown = erlconnect("-b", "fixed", "a@127.0.0.1", "--as", "b@127.0.0.1", home=tmp_path)
    assert shown.returncode == 2
    assert "before the '@' alone" in shown.stderr


@pytest.mark.parametrize("option", ["--as", "--caller-name"])
@pytest.mark.parametrize("name", ["a b", "a@b@c", ""])
def test_a_name_that_can_be_none_is_refused_at_once(option: str, name: str, tmp_path: Path) -> None:
    shown = erlconnect("-b", "fixed", "a@127.0.0.1", option, name, home=tmp_path)
    assert shown.returncode == 2
    assert option in shown.stderr
