from __future__ import annotations

import os
from typing import TYPE_CHECKING

from configuration.homes import write

from erlconnect.configuration.paths import (
    ConfigPath,
    Scope,
    config_paths,
    project_file,
    state_folder,
    user_file,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from configuration.homes import Home


def test_the_projects_file_wins_over_the_users(here: Home) -> None:
    here.project("")
    assert config_paths(None, environment=here.environment) == [
        ConfigPath(path=here.project_file, scope=Scope.PROJECT),
        ConfigPath(path=here.user_file, scope=Scope.USER),
    ]


def test_a_file_that_is_named_is_the_only_one(here: Home) -> None:
    here.project("")
    named, by_variable = here.folder / "a.toml", here.folder / "b.toml"
    environment = {**here.environment, "ERLCONNECT_CONFIG": str(by_variable)}
    assert config_paths(named, environment=environment) == [
        ConfigPath(path=named, scope=Scope.NAMED)
    ]
    assert config_paths(None, environment=environment) == [
        ConfigPath(path=by_variable, scope=Scope.NAMED)
    ]


def test_the_nearest_project_file_counts(here: Home) -> None:
    here.project("")
    assert project_file(here.environment) == here.project_file
    nearer = write(here.work / "erlconnect.toml", "")
    assert project_file(here.environment) == nearer


def test_a_folder_of_that_name_is_no_file(here: Home) -> None:
    here.project("")
    (here.work / "erlconnect.toml").mkdir()
    assert project_file(here.environment) == here.project_file


def test_the_search_ends_with_the_folder_that_git_knows(here: Home) -> None:
    here.project("")
    git = here.work.parent / ".git"
    git.mkdir()
    assert project_file(here.environment) is None
    at_the_root = write(git.parent / "erlconnect.toml", "")
    assert project_file(here.environment) == at_the_root
    at_the_root.unlink()
    git.rmdir()
    git.write_text("gitdir: of a worktree\n")
    assert project_file(here.environment) is None


def test_the_search_ends_with_the_home(here: Home) -> None:
    write(here.folder.parent / "erlconnect.toml", "")
    try:
        assert project_file(here.environment) is None
        in_home = write(here.folder / "erlconnect.toml", "")
        assert project_file(here.environment) == in_home
    finally:
        (here.folder.parent / "erlconnect.toml").unlink()


def test_a_home_behind_a_link_ends_the_search_too(here: Home) -> None:
    write(here.folder.parent / "erlconnect.toml", "")
    link = here.folder.parent / "link-to-home"
    try:
        link.symlink_to(here.folder)
        assert project_file({"HOME": str(link)}) is None
    finally:
        link.unlink()
        (here.folder.parent / "erlconnect.toml").unlink()


def test_the_users_own_file_is_not_taken_for_a_projects(
    here: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``XDG_CONFIG_HOME`` may be a folder in which somebody works."""
    environment = {**here.environment, "XDG_CONFIG_HOME": str(here.folder / "x")}
    own = write(here.folder / "x" / "erlconnect" / "config.toml", "")
    monkeypatch.chdir(own.parent)
    assert config_paths(None, environment=environment) == [ConfigPath(path=own, scope=Scope.USER)]


def test_a_working_directory_that_was_removed(here: Home) -> None:
    gone = here.work / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert project_file(here.environment) is None


def test_folders_are_those_of_xdg_and_relative_ones_are_ignored(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert user_file(home) == tmp_path / ".config/erlconnect/config.toml"
    assert state_folder(home) == tmp_path / ".local/state/erlconnect"
    xdg = {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s", **home}
    assert str(user_file(xdg)) == "/c/erlconnect/config.toml"
    assert str(state_folder(xdg)) == "/s/erlconnect"
    relative = {"XDG_CONFIG_HOME": "c", "XDG_STATE_HOME": "s", **home}
    assert user_file(relative) == user_file(home)
    assert state_folder(relative) == state_folder(home)


def test_windows_folders_are_those_of_its_variables(
    here: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erlconnect.configuration.paths._WINDOWS", True)
    roaming, local = here.folder / "roaming", here.folder / "local"
    environment = {**here.environment, "APPDATA": str(roaming), "LOCALAPPDATA": str(local)}
    assert user_file(environment) == roaming / "erlconnect" / "config.toml"
    assert state_folder(environment) == local / "erlconnect"


def test_windows_folders_have_their_usual_place_without_variables(
    here: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erlconnect.configuration.paths._WINDOWS", True)
    without = {"HOME": str(here.folder)}
    assert user_file(without) == here.folder / "AppData/Roaming/erlconnect/config.toml"
    assert state_folder(without) == here.folder / "AppData/Local/erlconnect"
