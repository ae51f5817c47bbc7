"""``erlconnect trust``: what it shows, what it asks, and what follows from the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from end_to_end.terminal import AtTerminal

if TYPE_CHECKING:
    from command_line.running import Run
    from configuration.homes import Home

_TEXT = """
[profiles.shop]
inherits = "staging"
cookie = { from = "command", command = "id > /tmp/\\u001b[2Kowned\\u202e" }
"""
_SHOWN = (
    '  line 3: profiles.shop.cookie.from = "command"\n'
    '  line 3: profiles.shop.cookie.command = "id > /tmp/\\u001B[2Kowned\\u202E"\n'
)


@pytest.fixture(autouse=True)
def _files(here: Home) -> None:
    here.user("[profiles.staging]\nbackend = 'fixed'\n")
    here.project(_TEXT)


def test_nothing_is_connected_before_somebody_looked(here: Home, run: Run) -> None:
    """Not even with the user's own profile: a file that is not trusted is an error at once."""
    for words in (["staging/a@127.0.0.1"], ["-p", "shop", "a@127.0.0.1"], ["profiles"]):
        shown = run(*words)
        assert shown.returncode == 78
        assert f"{here.project_file}, line 3: this project file is not trusted" in shown.stderr
        assert "decides profiles.shop.cookie.from and 1 more" in shown.stderr


def test_a_program_is_told_the_cause(run: Run) -> None:
    assert '"cause": "untrusted-file"' in run("profiles", "--json").stdout


def test_it_shows_what_the_file_decides_and_hides_no_letter_of_it(here: Home, run: Run) -> None:
    shown = run("trust", "--yes")
    trusted = f"{here.project_file} is trusted until it changes\n"
    assert shown.stdout == f"{here.project_file} decides:\n{_SHOWN}{trusted}"
    assert (shown.returncode, shown.stderr) == (0, "")
    assert run("profiles").returncode == 0


def test_where_nobody_can_be_asked_it_trusts_nothing(run: Run) -> None:
    for words in (["trust"], ["trust", "--no-input"]):
        shown = run(*words)
        assert shown.returncode == 2
        assert "nobody can be asked here\nAdd --yes" in shown.stderr
    assert run("profiles").returncode == 78


@pytest.mark.parametrize(("answer", "code"), [("n\r", 130), ("\r", 130), ("\x03", 130)])
def test_everything_but_yes_is_no(here: Home, run: Run, answer: str, code: int) -> None:
    with AtTerminal("trust", environment=here.environment, folder=here.work) as terminal:
        terminal.wait_for_question("Trust it with that, until it changes? [y/N]")
        assert 'command = "id' in terminal.screen
        terminal.type(answer)
        assert terminal.wait() == code
    assert run("profiles").returncode == 78


def test_yes_holds_until_the_file_changes(here: Home, run: Run) -> None:
    with AtTerminal("trust", environment=here.environment, folder=here.work) as terminal:
        terminal.wait_for("[y/N]")
        terminal.type("y\r")
        assert terminal.wait() == 0
    assert run("profiles").returncode == 0
    here.project(f"{_TEXT}# more\n")
    assert "has changed since it was trusted" in run("profiles").stderr


def test_trust_is_forgotten(here: Home, run: Run) -> None:
    assert run("trust", "--forget").stdout == f"{here.project_file} was not trusted\n"
    run("trust", "--yes")
    assert run("trust", "--forget").stdout == f"{here.project_file} is trusted no longer\n"
    assert run("profiles").returncode == 78


def test_a_file_without_powers_needs_no_trust(here: Home, run: Run) -> None:
    here.project('default-profile = "staging"\n')
    shown = run("trust")
    assert shown.stdout == f"{here.project_file} decides nothing that needs trust\n"
    assert shown.returncode == 0
    assert run("profiles").stdout.split()[2] == "default"


def test_another_file_may_be_named(here: Home, run: Run) -> None:
    shown = run("trust", "--yes", str(here.project_file.relative_to(here.folder.resolve())))
    assert shown.returncode == 78
    assert "there is no file project/erlconnect.toml" in shown.stderr
    assert run("trust", "--yes", "../../erlconnect.toml").returncode == 0
    assert run("profiles").returncode == 0


def test_without_a_project_there_is_nothing_to_trust(here: Home, run: Run) -> None:
    here.project_file.unlink()
    shown = run("trust")
    assert shown.returncode == 78
    assert "there is no erlconnect.toml here or in a folder above" in shown.stderr


def test_mistakes_are_told_before_anything_is_trusted(here: Home, run: Run) -> None:
    here.project("[profiles.x]\nbackned = 'dns'\n")
    shown = run("trust", "--yes")
    assert shown.returncode == 78
    assert f"{here.project_file}, line 2: 'backned' is not a known key" in shown.stderr
