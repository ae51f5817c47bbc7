"""Cookie sources that are built in keep the contract; those that talk are caught."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest
from world.processes import Process

from erlconnect.api import Cookie, NodeName, Target
from erlconnect.plugin_manager import Catalogue, Kind
from erlconnect.testing import check_cookie_source, kit

if TYPE_CHECKING:
    from pathlib import Path

    from erlconnect.api import CookieSource

SECRET = "XQZKJVWPMNBTRLHGFDSC"
TARGET = Target(node=NodeName(name="shop", host="10.0.0.1"), address="10.0.0.1")


def built_in(source: str, **options: str) -> CookieSource:
    catalogue = Catalogue()
    settings = catalogue.settings(
        Kind.COOKIE_SOURCE, source, options=options, inherited={}, environment={}
    )
    return catalogue.create(Kind.COOKIE_SOURCE, source, settings)


async def test_env_keeps_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_COOKIE", SECRET)
    await check_cookie_source(built_in("env", name="SHOP_COOKIE"), TARGET)


async def test_file_keeps_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "cookie"
    path.write_text(SECRET)
    path.chmod(0o400)
    await check_cookie_source(built_in("file", path=str(path)), TARGET)


async def test_command_keeps_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "cookie"
    path.write_text(f"{SECRET}\n")
    await check_cookie_source(built_in("command", command=f"cat {path}"), TARGET)


class Showy(Cookie):
    def __repr__(self) -> str:
        return f"Cookie({self.reveal()})"


class Picklable(Cookie):
    def __reduce__(self) -> Any:
        return str, (self.reveal(),)


class Gives:
    """A source that gives what it was made with, and may talk while it does."""

    def __init__(self, *cookies: Any, talk: Any = None) -> None:
        self._cookies = list(cookies)
        self._talk = talk

    async def fetch(self, target: Target) -> Cookie | None:
        assert target is TARGET
        if self._talk:
            self._talk()
        if len(self._cookies) > 1:
            return self._cookies.pop(0)  # type: ignore[no-any-return]
        return self._cookies[0]  # type: ignore[no-any-return]


class LeavesChild(Gives):
    """Its child outlives a cancellation."""

    async def fetch(self, target: Target) -> Cookie | None:
        self.child = Process([sys.executable, "-c", "import time; time.sleep(60)"])
        await asyncio.sleep(0.001)
        self.child.kill()
        return await super().fetch(target)


def cookie(text: str = SECRET, origin: str = "a test") -> Cookie:
    return Cookie(text, origin=origin)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (Gives(None), "fetch() gave None: let it have a cookie while it is checked"),
        (Gives(SECRET), "what fetch() gives must be Cookie, not str"),
        (Gives(cookie(), cookie("ANOTHER")), "two calls of fetch() must give the same cookie"),
        (Gives(cookie("")), "a cookie must not be empty"),
        (Gives(cookie("x" * 256)), "a cookie has at most 255 characters"),
        (Gives(cookie("Ā" * 9)), "a cookie must hold characters U+0000 to U+00FF only"),
        (Gives(cookie(f"{SECRET}\n")), "a cookie must not begin or end with a newline"),
        (Gives(cookie(origin="")), "a cookie must say its origin"),
        (Gives(cookie(origin=f"{SECRET}!")), "the origin of a cookie must not hold the cookie"),
        (
            Gives(Showy(SECRET, origin="a test")),
            "neither a cookie nor its source may show the cookie as text",
        ),
        (Gives(Picklable(SECRET, origin="a test")), "a cookie must not be pickled"),
        (
            Gives(cookie(), talk=lambda: print("got", SECRET)),
            "fetch() must not print or log the cookie",
        ),
        (
            Gives(cookie(), talk=lambda: logging.getLogger("x").warning("got %s", SECRET)),
            "fetch() must not print or log the cookie",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_source_that_breaks_the_contract_is_told_why_without_the_cookie(
    source: Gives, sentence: str
) -> None:
    with pytest.raises(AssertionError) as caught:
        await check_cookie_source(source, TARGET)
    assert str(caught.value) == sentence


async def test_a_child_that_outlives_a_cancellation_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kit, "GRACE_SECONDS", 0.1)
    source = LeavesChild(cookie())
    with pytest.raises(AssertionError, match=r"left behind: .*the child process"):
        await check_cookie_source(source, TARGET)
    source.child.kill()
