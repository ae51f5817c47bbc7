"""Erlang's cookie files: which one, who may read it, and what is in it."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from erlconnect.cookie_file import (
    cookie_text,
    default_cookie_file,
    local_cookie_file,
    make_cookie_file,
    read_cookie_file,
)
from erlconnect.errors import ConfigurationError, CookieNotFoundError


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def private_file(path: Path, content: bytes = b"MONSTER", mode: int = 0o400) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_bytes_are_utf_8_where_they_can_be_and_latin_1_otherwise() -> None:
    assert cookie_text("é".encode(), place="It") == "é"
    assert cookie_text("é".encode("latin-1"), place="It") == "é"
    assert cookie_text("é".encode() + b"\xe9", place="It") == "Ã©é"


@pytest.mark.parametrize("secret", ["geheim€", "s" * 256])
def test_bytes_that_are_no_cookie_are_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^It holds ") as refused:
        cookie_text(secret.encode(), place="It")

    assert secret not in f"{refused.value.message} {refused.value.remedy}"
    assert "geheim" not in str(refused.value)


def test_a_cookie_has_255_characters_at_most(tmp_path: Path) -> None:
    longest = "ä" * 255
    path = private_file(tmp_path / "cookie", longest.encode() + b"\n")

    assert read_cookie_file(path) == longest


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o644, 0o410, 0o4700 | 0o001])
def test_a_file_that_others_can_use_is_refused_with_the_command_to_run(
    tmp_path: Path, mode: int
) -> None:
    path = private_file(tmp_path / "my cookie", mode=mode)

    with pytest.raises(ConfigurationError, match="accessible by its owner only") as refused:
        read_cookie_file(path)
    assert f"{mode:04o}" in refused.value.message
    assert refused.value.remedy == f"Run: chmod 400 '{path}'"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = private_file(tmp_path / "cookie")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)

    with pytest.raises(ConfigurationError, match="belongs to another user"):
        read_cookie_file(path)


def test_root_reads_the_cookie_of_a_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = private_file(tmp_path / "cookie")
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert read_cookie_file(path)


def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cookie", 0o600)

    with pytest.raises(ConfigurationError, match="not a regular file"):
        read_cookie_file(tmp_path / "cookie")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a regular file"):
        read_cookie_file(tmp_path)


def test_a_missing_file_is_not_found_and_its_folder_neither(tmp_path: Path) -> None:
    with pytest.raises(CookieNotFoundError, match="does not exist"):
        read_cookie_file(tmp_path / "none" / "cookie")


def test_a_path_through_a_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="could not be read: Not a directory"):
        read_cookie_file(private_file(tmp_path / "file") / "cookie")


def test_a_huge_file_is_no_cookie_and_is_not_read_whole(tmp_path: Path) -> None:
    path = private_file(tmp_path / "cookie", b"x" * 10_000_000)

    with pytest.raises(ConfigurationError, match="holds 4096 characters"):
        read_cookie_file(path)


def test_a_tilde_is_the_home(empty_home: Path) -> None:
    private_file(empty_home / "cookies" / "shop")

    assert read_cookie_file(Path("~/cookies/shop")) == "MONSTER"


def test_a_home_that_nobody_has_is_said() -> None:
    with pytest.raises(ConfigurationError, match="~nobody-of-this-name"):
        read_cookie_file(Path("~nobody-of-this-name/cookie"))


def test_the_local_cookie_is_made_as_erlang_makes_it(empty_home: Path) -> None:
    made = local_cookie_file()

    assert made == empty_home / ".erlang.cookie"
    assert made.stat().st_mode & 0o7777 == 0o400
    assert re.fullmatch(rb"[A-Z]{20}", made.read_bytes())
    assert [entry.name for entry in empty_home.iterdir()] == [".erlang.cookie"]


def test_each_new_cookie_is_another_one(tmp_path: Path) -> None:
    assert len({local_cookie_file(tmp_path / str(n)).read_bytes() for n in range(20)}) == 20


def test_the_local_cookie_stays_where_there_is_one(empty_home: Path) -> None:
    there = private_file(empty_home / ".erlang.cookie", b"MINE")

    assert local_cookie_file() == there
    assert there.read_bytes() == b"MINE"
    assert make_cookie_file(there) is False
    assert there.read_bytes() == b"MINE"
    assert [entry.name for entry in empty_home.iterdir()] == [".erlang.cookie"]


def test_a_link_to_nothing_is_not_replaced(empty_home: Path) -> None:
    (empty_home / ".erlang.cookie").symlink_to(empty_home / "gone")

    assert make_cookie_file(local_cookie_file()) is False
    assert (empty_home / ".erlang.cookie").is_symlink()
    with pytest.raises(CookieNotFoundError):
        read_cookie_file(empty_home / ".erlang.cookie")


def test_of_many_who_make_it_at_once_one_wins_and_all_see_its_cookie(tmp_path: Path) -> None:
    path = tmp_path / "cookie"
    start = threading.Barrier(8)
    made: list[bool] = []
    seen: list[bytes] = []

    def make() -> None:
        start.wait()
        made.append(make_cookie_file(path))
        seen.append(path.read_bytes())

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(made) == [False] * 7 + [True]
    assert set(seen) == {path.read_bytes()}
    assert [entry.name for entry in tmp_path.iterdir()] == ["cookie"]


def test_a_strict_umask_does_not_change_the_mode(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        make_cookie_file(tmp_path / "cookie")
    finally:
        os.umask(before)

    assert (tmp_path / "cookie").stat().st_mode & 0o7777 == 0o400


def test_a_place_where_nothing_can_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="could not be made: No such file or directory"):
        local_cookie_file(tmp_path / "none" / "cookie")


def test_the_configuration_folder_is_the_second_place(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = private_file(empty_home / ".config" / "erlang" / ".erlang.cookie")
    assert default_cookie_file() == local_cookie_file() == second

    monkeypatch.setenv("XDG_CONFIG_HOME", str(empty_home / "elsewhere"))
    assert default_cookie_file() == empty_home / ".erlang.cookie"

    third = private_file(empty_home / "elsewhere" / "erlang" / ".erlang.cookie")
    assert default_cookie_file() == third

    first = private_file(empty_home / ".erlang.cookie")
    assert default_cookie_file() == first
