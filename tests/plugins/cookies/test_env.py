"""The cookie source ``env``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from erlconnect.api import ConfigurationError, CookieNotFoundError, Target
from erlconnect.distribution.handshake_messages import gen_digest
from erlconnect_plugins.cookies.env import EnvCookieSource, EnvSettings, erlconnect_cookie_sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from erlconnect.api import Cookie


async def fetch(target: Target) -> Cookie:
    return await EnvCookieSource(EnvSettings(name="APP_COOKIE")).fetch(target)


async def test_the_value_is_the_cookie(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_COOKIE", " spaced out ")
    cookie = await fetch(target)

    assert cookie.reveal() == " spaced out "
    assert cookie.origin == "variable APP_COOKIE"


async def test_the_variable_is_read_each_time(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = EnvCookieSource(EnvSettings(name="APP_COOKIE"))
    monkeypatch.setenv("APP_COOKIE", "first")
    before = await source.fetch(target)
    monkeypatch.setenv("APP_COOKIE", "second")

    assert (before.reveal(), (await source.fetch(target)).reveal()) == ("first", "second")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n"])
async def test_a_newline_at_the_end_is_removed_and_the_origin_says_so(
    target: Target, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setenv("APP_COOKIE", "monster" + ending)
    cookie = await fetch(target)

    assert cookie.reveal() == "monster"
    assert cookie.note == "a newline at the end of the variable APP_COOKIE was left out"


async def test_an_unset_variable_is_said_to_be_unset(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APP_COOKIE", raising=False)

    with pytest.raises(CookieNotFoundError, match="APP_COOKIE is not set"):
        await fetch(target)


@pytest.mark.parametrize("value", ["", "\n"])
async def test_an_empty_variable_is_said_to_be_empty(
    target: Target, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("APP_COOKIE", value)

    with pytest.raises(CookieNotFoundError, match="APP_COOKIE is empty"):
        await fetch(target)


async def test_a_character_that_no_cookie_has_is_refused_without_showing_any(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_COOKIE", "geheim€")

    with pytest.raises(ConfigurationError, match="variable APP_COOKIE holds a char") as refused:
        await fetch(target)
    assert "geheim" not in refused.value.message + refused.value.remedy


async def test_bytes_that_are_no_utf_8_are_latin_1(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_COOKIE", os.fsdecode(b"caf\xe9"))

    assert (await fetch(target)).reveal() == "café"


async def test_the_digest_of_an_umlaut_is_the_one_erlang_makes(
    target: Target, monkeypatch: pytest.MonkeyPatch, erl_answer: Callable[..., str]
) -> None:
    monkeypatch.setenv("APP_COOKIE", "é")
    cookie = await fetch(target)

    theirs = erl_answer(
        "binary_to_list(erlang:md5([atom_to_list(erlang:get_cookie())|integer_to_list(4711)]))",
        "-setcookie",
        "é",
    )
    assert str(list(gen_digest(4711, cookie.reveal()))).replace(" ", "") == theirs


def test_the_offer_takes_the_name_as_its_argument() -> None:
    (offer,) = erlconnect_cookie_sources()

    assert offer.name == "env"
    assert offer.settings.argument == "name"
    assert isinstance(offer.create(offer.settings.model_validate({"name": "X"})), EnvCookieSource)
