"""The home of a shell: a cookie of its own, and everything else the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from erlconnect.command_line.shell import cookie_file_in, temp_home
from erlconnect.cookie_file import read_cookie_file

if TYPE_CHECKING:
    from pathlib import Path


def test_everything_but_the_cookie_leads_to_the_users_own(tmp_path: Path, home: Path) -> None:
    (home / ".iex.exs").write_text("# mine\n")
    (home / ".cache").mkdir()
    (tmp_path / "slot").mkdir()
    made = temp_home(tmp_path / "slot", {"HOME": str(home)})
    assert made.stat().st_mode & 0o777 == 0o700
    assert (made / ".iex.exs").read_text() == "# mine\n"
    (made / ".cache" / "history").write_text("kept")
    assert (home / ".cache" / "history").read_text() == "kept"
    cookie = cookie_file_in(made)
    assert not cookie.is_symlink()
    assert cookie.stat().st_mode & 0o777 == 0o400
    assert read_cookie_file(cookie) != read_cookie_file(cookie_file_in(home))


@pytest.mark.parametrize("variables", [{}, {"HOME": ""}, {"HOME": "/nowhere"}])
def test_without_a_home_there_is_a_cookie_all_the_same(
    variables: dict[str, str], tmp_path: Path
) -> None:
    made = temp_home(tmp_path, variables)
    assert [path.name for path in made.iterdir()] == [".erlang.cookie"]
