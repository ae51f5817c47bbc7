"""The cookie source ``file``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from erlconnect.api import ConfigurationError, Cookie, CookieNotFoundError, Target
from erlconnect.cookie_file import local_cookie_file
from erlconnect_plugins.cookies.file import (
    FileCookieSource,
    FileSettings,
    erlconnect_cookie_sources,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o400)
    return path


def names_in(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


async def fetch(target: Target, path: Path | None = None) -> Cookie | None:
    return await FileCookieSource(FileSettings(path=path)).fetch(target)


def code_points(cookie: Cookie | None) -> str:
    assert cookie is not None
    return str([ord(character) for character in cookie.reveal()]).replace(" ", "")


COOKIE_OF_ERLANG = "atom_to_list(erlang:get_cookie())"


async def test_erlang_reads_the_file_that_we_made(
    target: Target, empty_home: Path, erl_answer: Callable[..., str]
) -> None:
    local_cookie_file()

    assert code_points(await fetch(target)) == erl_answer(COOKIE_OF_ERLANG)


async def test_we_read_the_file_that_erlang_made(
    target: Target, empty_home: Path, erl_answer: Callable[..., str]
) -> None:
    theirs = erl_answer(COOKIE_OF_ERLANG)

    assert names_in(empty_home) == [".erlang.cookie"]
    assert code_points(await fetch(target)) == theirs


async def test_we_look_where_erlang_looks(
    target: Target, empty_home: Path, erl_answer: Callable[..., str]
) -> None:
    write(empty_home / ".config" / "erlang" / ".erlang.cookie", b"SECONDPLACE")
    theirs = erl_answer(COOKIE_OF_ERLANG)

    assert names_in(empty_home) == [".config"]
    assert code_points(await fetch(target)) == theirs


@pytest.mark.parametrize(
    "content", [b"ABC\n", b"ABC\r\n", b" A B  \n \n", b"ABC\n\n  \r\n", b'"~\\"']
)
async def test_the_cookie_ends_where_it_ends_for_erlang(
    target: Target, empty_home: Path, erl_answer: Callable[..., str], content: bytes
) -> None:
    write(empty_home / ".erlang.cookie", content)

    assert code_points(await fetch(target)) == erl_answer(COOKIE_OF_ERLANG)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("Too short cookie string", "is empty")),
        (b"\n", ("Too short cookie string", "is empty")),
        (b"ABC\nDEF", ("Bad characters in cookie", "more than one line")),
        (b"A\tBC", ("Bad characters in cookie", "more than one line")),
        (b"A" * 256, ("system_limit", "256 characters")),
    ],
)
async def test_what_erlang_refuses_is_refused(
    target: Target,
    empty_home: Path,
    erl_answer: Callable[..., str],
    content: bytes,
    words: tuple[str, str],
) -> None:
    write(empty_home / ".erlang.cookie", content)
    theirs, ours = words

    with pytest.raises(AssertionError, match=theirs):
        erl_answer(COOKIE_OF_ERLANG)
    with pytest.raises((ConfigurationError, CookieNotFoundError), match=ours):
        await fetch(target)


async def test_erlang_and_we_refuse_a_file_that_others_can_read(
    target: Target, empty_home: Path, erl_answer: Callable[..., str]
) -> None:
    write(empty_home / ".erlang.cookie", b"ABC").chmod(0o440)

    with pytest.raises(AssertionError, match="must be accessible by owner only"):
        erl_answer(COOKIE_OF_ERLANG)
    with pytest.raises(ConfigurationError, match="must be accessible by its owner only"):
        await fetch(target)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
async def test_umlauts_that_erlang_takes_as_a_flag_only_are_taken_from_a_file(
    target: Target, empty_home: Path, erl_answer: Callable[..., str], encoding: str
) -> None:
    write(empty_home / ".erlang.cookie", "café\n".encode(encoding))

    with pytest.raises(AssertionError, match="Bad characters in cookie"):
        erl_answer(COOKIE_OF_ERLANG)
    assert code_points(await fetch(target)) == erl_answer(COOKIE_OF_ERLANG, "-setcookie", "café")


async def test_the_origin_names_the_file_and_nothing_of_the_cookie(
    target: Target, empty_home: Path
) -> None:
    cookie = await fetch(target, write(empty_home / "shop", b"MONSTER"))

    assert cookie is not None
    assert cookie.origin == f"file {empty_home}/shop"
    assert "MONSTER" not in repr(cookie)


async def test_a_named_file_that_is_missing_is_an_error(target: Target, empty_home: Path) -> None:
    with pytest.raises(CookieNotFoundError, match="shop does not exist"):
        await fetch(target, empty_home / "shop")


async def test_without_a_name_a_missing_file_is_no_cookie_and_none_is_made(
    target: Target, empty_home: Path
) -> None:
    assert await fetch(target) is None
    assert names_in(empty_home) == []


async def test_without_a_name_an_empty_file_is_an_error(target: Target, empty_home: Path) -> None:
    write(empty_home / ".erlang.cookie", b"")

    with pytest.raises(CookieNotFoundError, match="is empty"):
        await fetch(target)


def test_the_offer_takes_the_path_as_its_argument() -> None:
    (offer,) = erlconnect_cookie_sources()

    assert offer.name == "file"
    assert offer.settings.argument == "path"
    assert isinstance(offer.create(offer.settings()), FileCookieSource)
