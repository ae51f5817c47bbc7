"""Cookies in a real key/value store."""

from __future__ import annotations

import traceback
import urllib.parse
from typing import TYPE_CHECKING

import pytest
from backends.consul.catalogues import cookie_source

from erlconnect.api import (
    ConfigurationError,
    CookieNotFoundError,
    LookupFailedError,
    NodeName,
    RefusedError,
    Target,
    UsageError,
)
from erlconnect.testing import check_cookie_source

if TYPE_CHECKING:
    from pathlib import Path

    from world.consul import ConsulAgent

    from erlconnect.api import Cookie

TARGET = Target(node=NodeName(name="app", host="10.3.0.1"), address="10.3.0.1")
COOKIE = "monster-4711"


async def fetched(**options: str) -> Cookie:
    cookie = await cookie_source(**options).fetch(TARGET)
    assert cookie is not None
    return cookie


async def test_the_source_keeps_the_contract(agent: ConsulAgent) -> None:
    agent.kv_put("erlang/cookie", COOKIE)
    source = cookie_source(key="erlang/cookie", address=agent.address)
    await check_cookie_source(source, TARGET)


@pytest.mark.parametrize("key", ["erlang/cookie", "/erlang/cookie", "a key/with ümlaut?&#%"])
async def test_the_value_of_a_key_is_the_cookie(agent: ConsulAgent, key: str) -> None:
    agent.kv_put(urllib.parse.quote(key.lstrip("/")), COOKIE)
    cookie = await fetched(key=key, address=agent.address)
    assert cookie.reveal() == COOKIE
    assert cookie.origin == f"consul key {key.lstrip('/')}"
    assert cookie.note == ""


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
async def test_newlines_at_the_end_are_left_out_and_noted(agent: ConsulAgent, end: str) -> None:
    agent.kv_put("ended", COOKIE + end)
    cookie = await fetched(key="ended", address=agent.address, datacenter="dc1")
    assert cookie.reveal() == COOKIE
    assert cookie.note == "a newline at the end of the key ended was left out"


async def test_a_value_in_latin_1_is_read_as_erlang_means_it(agent: ConsulAgent) -> None:
    agent.kv_put("latin", b"m\xfcsli")
    assert (await fetched(key="latin", address=agent.address)).reveal() == "müsli"


async def test_missing_empty_and_denied_are_three_messages(
    agent: ConsulAgent, guarded: ConsulAgent
) -> None:
    agent.kv_put("empty", b"")
    with pytest.raises(CookieNotFoundError, match=r"The key missing of .* does not exist"):
        await fetched(key="missing", address=agent.address)
    with pytest.raises(CookieNotFoundError, match=r"The key empty of .* its value is empty"):
        await fetched(key="empty", address=agent.address)
    with pytest.raises(RefusedError, match=r"the key missing: .* 403 \(Permission denied\)") as no:
        await fetched(key="missing", address=guarded.address)
    assert "Name one with -o cookie.token-file=" in no.value.remedy
    assert no.value.remedy.endswith('key "missing" { policy = "read" }')


async def test_nothing_but_newlines_is_empty_too(agent: ConsulAgent) -> None:
    agent.kv_put("blank", "\n")
    with pytest.raises(CookieNotFoundError, match="its value is empty"):
        await fetched(key="blank", address=agent.address)


async def test_a_token_for_this_key_alone_suffices(guarded: ConsulAgent, tmp_path: Path) -> None:
    guarded.kv_put("erlang/cookie", COOKIE)
    token = tmp_path / "token"
    token.write_text(guarded.token_for('key "erlang/cookie" { policy = "read" }'))
    options = {"address": guarded.address, "token_file": str(token)}
    assert (await fetched(key="erlang/cookie", **options)).reveal() == COOKIE
    with pytest.raises(RefusedError) as refused:
        await fetched(key="erlang/other", **options)
    assert refused.value.remedy.startswith("The token lacks a right.")


async def test_a_value_that_cannot_be_a_cookie_is_not_quoted(agent: ConsulAgent) -> None:
    agent.kv_put("long", "secret" * 50)
    with pytest.raises(ConfigurationError, match="holds 300 characters") as caught:
        await fetched(key="long", address=agent.address)
    assert "secret" not in "".join(traceback.format_exception(caught.value))


async def test_another_datacenter_that_is_not_there_is_told(agent: ConsulAgent) -> None:
    with pytest.raises(LookupFailedError, match="No path to datacenter"):
        await fetched(key="erlang/cookie", address=agent.address, datacenter="eu9")


def test_there_has_to_be_a_key() -> None:
    with pytest.raises(UsageError, match="needs the setting 'key'"):
        cookie_source()
