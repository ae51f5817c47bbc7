"""Profiles for third parties' plugins: really installed ones, with settings of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from end_to_end.terminal import AtTerminal
from world.installed_plugins import installed_plugins

if TYPE_CHECKING:
    from command_line.running import Run
    from configuration.homes import Home

_SECRET = "hunter2hunter2"
_PROFILE = f"""
[profiles.x]
backend = "secretive"
confirm = true
cookie = {{ from = "lantern" }}
[profiles.x.secretive]
password = "{_SECRET}"
region = "eu"
"""


@pytest.fixture(scope="module")
def installed() -> dict[str, str]:
    """Where Python finds the plugins."""
    return {"PYTHONPATH": str(installed_plugins().folder)}


def test_its_settings_are_explained_and_its_secret_is_hidden(
    here: Home, run: Run, installed: dict[str, str]
) -> None:
    here.user(_PROFILE)
    shown = run("profiles", "explain", "x", **installed)
    assert 'secretive.password = "[hidden]"' in shown.stdout
    assert 'secretive.region = "eu"' in shown.stdout
    values = json.loads(run("profiles", "show", "x", "--json", **installed).stdout)["values"]
    assert values["secretive"] == {"password": "[hidden]", "region": "eu"}
    assert run("profiles", "check", **installed).returncode == 0


def test_its_secret_is_nowhere_to_be_seen(here: Home, run: Run, installed: dict[str, str]) -> None:
    here.user(_PROFILE)
    here.project(_PROFILE.replace("profiles.x", "profiles.y"))
    output = ""
    for words in (
        ["profiles"],
        ["profiles", "check"],
        ["trust", "--yes"],
        ["profiles", "explain", "y", "--json"],
        ["profiles", "show", "y"],
        ["-p", "y", "shop", "--dry-run", "-v"],
        ["-p", "y", "shop"],
    ):
        shown = run(*words, ERLCONNECT_SECRETIVE_PASSWORD=f"{_SECRET}-of-the-variable", **installed)
        output += shown.stdout + shown.stderr
    assert 'profiles.y.secretive.password = "[hidden]"' in output
    assert _SECRET not in output
    assert "Traceback" not in output


def test_a_bad_secret_is_a_mistake_that_is_not_repeated(
    here: Home, run: Run, installed: dict[str, str]
) -> None:
    here.user(_PROFILE.replace(_SECRET, "h2"))
    for words in (["profiles", "check"], ["profiles", "show", "x"], ["x/shop", "--dry-run"]):
        shown = run(*words, **installed)
        assert shown.returncode == 78
        output = shown.stdout + shown.stderr
        assert f"{here.user_file}, line 6: password cannot be used" in output
        assert "h2" not in output


def test_the_question_shows_the_place_and_no_secret(here: Home, installed: dict[str, str]) -> None:
    here.user(_PROFILE)
    environment = {**here.environment, **installed, "ERL_EPMD_PORT": "1"}
    with AtTerminal("x/shop", environment=environment, folder=here.work) as terminal:
        terminal.wait_for("[y/N]")
        screen = terminal.screen.replace("\r\n", "")
        assert "shop (secretive, password [hidden], region eu)" in screen
        assert _SECRET not in screen


def test_a_plugin_that_is_not_installed_is_named_with_its_line(here: Home, run: Run) -> None:
    here.user(_PROFILE)
    shown = run("profiles", "check")
    assert shown.returncode == 78
    assert "line 2: nothing that is installed is called 'secretive'" in shown.stdout
    assert "line 4: nothing that is installed is called 'lantern'" in shown.stdout
    assert "line 6: 'secretive' is neither a known key nor a backend" in shown.stdout
    assert _SECRET not in shown.stdout


def test_a_file_says_which_of_two_packages_is_meant(
    here: Home, run: Run, installed: dict[str, str]
) -> None:
    here.user('[plugins]\nprefer = { twin = "twin-red" }\n[profiles.x]\nbackend = "twin"\n')
    shown = run("x/shop", "--dry-run", **installed)
    assert shown.stdout.startswith("shop in the profile x, by twin:\n")
    here.user('[profiles.x]\nbackend = "twin"\n')
    shown = run("x/shop", "--dry-run", **installed)
    assert shown.returncode == 78
    assert "'twin' is not used" in shown.stderr


def test_the_schema_knows_it(run: Run, installed: dict[str, str]) -> None:
    schema = json.loads(run("profiles", "schema", **installed).stdout)
    assert "region" in schema["$defs"]["backend secretive"]["properties"]
    assert "twin" not in schema["properties"]["profiles"]["additionalProperties"]["properties"]
