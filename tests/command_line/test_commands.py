"""The installed command as a person or a program calls it, as far as no node is needed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from command_line.running import erlconnect

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ["kubernetes", "consul", "dns", "pydantic", "asyncio"]


def test_help_names_the_commands(tmp_path: Path) -> None:
    shown = erlconnect("--help", home=tmp_path)
    assert shown.returncode == 0
    for command in ("connect", "demo", "plugins", "profiles", "trust"):
        assert re.search(rf"\b{command}\b", shown.stdout)


@pytest.mark.parametrize("arguments", [["-b", "dns"], ["connect", "-b", "dns"]])
def test_a_missing_target_is_a_usage_error(arguments: list[str], tmp_path: Path) -> None:
    shown = erlconnect(*arguments, home=tmp_path)
    assert shown.returncode == 2
    assert "TARGET" in shown.stderr
    assert shown.stdout == ""


def test_connect_is_what_happens_without_a_command(tmp_path: Path) -> None:
    """Options may stand on either side of the target."""
    for arguments in (["shop", "-b", "nowhere"], ["-b", "nowhere", "shop"]):
        shown = erlconnect(*arguments, home=tmp_path)
        assert shown.returncode == 78
        assert "'nowhere'" in shown.stderr


def test_a_target_called_like_a_command(tmp_path: Path) -> None:
    assert erlconnect("plugins", home=tmp_path).returncode == 0
    shown = erlconnect("connect", "plugins", home=tmp_path)
    assert shown.returncode == 2
    assert "no backend was named" in shown.stderr


def test_json_says_an_error_as_one_object(tmp_path: Path) -> None:
    shown = erlconnect("-b", "fixed", "not-a-node", "--json", home=tmp_path)
    event = json.loads(shown.stdout)
    assert event["event"] == "error"
    assert event["schema"] == 1
    assert event["code"] == shown.returncode == 2
    assert event["remedy"]


@pytest.mark.parametrize("words", ["-b fixed x --bogus", "ping", "targets x --verbose=3"])
def test_json_says_what_is_wrong_with_the_words_too(words: str, tmp_path: Path) -> None:
    done = erlconnect(*words.split(), "--json", home=tmp_path)

    event = json.loads(done.stdout)
    assert done.returncode == event["code"] == 2
    assert (event["event"], event["cause"]) == ("error", "usage")
    assert "option" in event["message"].lower() or "argument" in event["message"].lower()
    assert event["remedy"].startswith("See `erlconnect ")
    assert done.stderr == ""


@pytest.mark.parametrize("port", ["x", "0", "65536"])
def test_a_bad_local_epmd_port(port: str, tmp_path: Path) -> None:
    shown = erlconnect(
        "-b", "fixed", "a@127.0.0.1", home=tmp_path, environment={"ERL_EPMD_PORT": port}
    )
    assert shown.returncode == 78
    assert "ERL_EPMD_PORT" in shown.stderr


def test_nothing_listens_there(tmp_path: Path) -> None:
    shown = erlconnect("-b", "fixed", "a@127.0.0.1", "-o", "dist-port=1", home=tmp_path)
    assert shown.returncode == 69
    assert "127.0.0.1" in shown.stderr


def imported_by(statement: str) -> set[str]:
    script = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    return set(shown.stdout.split())


def test_the_command_line_imports_nothing_heavy() -> None:
    assert imported_by("import erlconnect.command_line.app").isdisjoint(HEAVY)


def test_names_of_profiles_are_known_without_anything_heavy() -> None:
    statement = "from erlconnect.configuration.files import profile_names; profile_names({})"
    assert imported_by(statement).isdisjoint([*HEAVY, "typer", "rich", "pluggy"])


def test_a_session_imports_no_library_of_a_backend_that_it_does_not_use() -> None:
    modules = imported_by("import erlconnect.command_line.connect")
    assert modules.isdisjoint(["kubernetes", "consul", "dns"])
