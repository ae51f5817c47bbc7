"""The cookie source ``command`` with real programs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from erlconnect.api import (
    ConfigurationError,
    Cookie,
    CookieNotFoundError,
    Target,
    TimedOutError,
    redact,
)
from erlconnect_plugins.cookies import command as module
from erlconnect_plugins.cookies.command import (
    CommandCookieSource,
    CommandSettings,
    erlconnect_cookie_sources,
)

if TYPE_CHECKING:
    from pathlib import Path


async def fetch(target: Target, command: str) -> Cookie:
    return await CommandCookieSource(CommandSettings(command=command)).fetch(target)


@pytest.mark.parametrize(
    ("command", "cookie"),
    [
        ("echo monster", "monster"),
        ("printf 'monster'", "monster"),
        (r"printf ' mon ster \r\nwarning: old\n'", "mon ster"),
        (r"printf '\n\nmonster\n'", "monster"),
        (r"printf 'caf\303\251\n'", "café"),
        (r"printf 'caf\351\n'", "café"),
        ("echo '$HOME | ; *'", "$HOME | ; *"),
        ("sh -c 'echo one | tr o x'", "xne"),
    ],
)
async def test_the_first_line_of_the_output_is_the_cookie(
    target: Target, command: str, cookie: str
) -> None:
    assert (await fetch(target, command)).reveal() == cookie


async def test_the_origin_names_the_program_and_not_its_arguments(target: Target) -> None:
    assert (await fetch(target, "echo monster")).origin == "command echo"


async def test_a_program_that_is_not_there(target: Target) -> None:
    with pytest.raises(ConfigurationError, match="not-there could not be started: No such file"):
        await fetch(target, "not-there --token geheim")


async def test_a_file_that_is_no_program(target: Target, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("monster")

    with pytest.raises(ConfigurationError, match="could not be started: Permission denied"):
        await fetch(target, str(tmp_path / "text"))


async def test_a_program_that_fails_is_quoted_without_what_it_printed(target: Target) -> None:
    script = "echo KOMMANDOKEKS; echo no rights for KOMMANDOKEKS >&2; exit 4"

    with pytest.raises(CookieNotFoundError) as failed:
        await fetch(target, f"sh -c '{script}'")
    assert failed.value.message == (
        "The cookie command sh failed with exit status 4: no rights for [redacted]"
    )
    assert redact("KOMMANDOKEKS") == "[redacted]"


async def test_a_program_that_is_killed_and_says_nothing(target: Target) -> None:
    with pytest.raises(CookieNotFoundError, match=r"sh failed with signal 9$"):
        await fetch(target, "sh -c 'kill -9 $$'")


async def test_long_complaints_are_cut(target: Target) -> None:
    with pytest.raises(CookieNotFoundError) as failed:
        await fetch(target, "sh -c 'head -c 100000 /dev/zero | tr \"\\\\0\" x >&2; exit 1'")

    assert failed.value.message.endswith("1: " + "x" * 500)


@pytest.mark.parametrize("command", ["true", r"printf ' \n\n'", "sh -c 'echo monster >&2'"])
async def test_a_program_that_prints_nothing(target: Target, command: str) -> None:
    with pytest.raises(CookieNotFoundError, match="printed nothing"):
        await fetch(target, command)


async def test_what_is_no_cookie_is_refused_and_not_shown(target: Target) -> None:
    with pytest.raises(ConfigurationError, match="command printf printed holds a char") as refused:
        await fetch(target, r"printf 'geheim\342\202\254'")

    assert "geheim" not in refused.value.message + refused.value.remedy


async def test_a_program_that_does_not_end(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.3)

    with pytest.raises(TimedOutError, match="sleep did not end within 0 s"):
        await fetch(target, "sleep 300")


async def test_no_cookie_is_in_arguments_or_environment_of_a_child(
    target: Target, tmp_path: Path
) -> None:
    await fetch(target, "echo KINDERKEKS")
    seen = tmp_path / "seen"
    script = f"cat /proc/self/cmdline /proc/self/environ > {seen}; echo KINDERKEKS"
    (tmp_path / "script").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "script").chmod(0o700)
    cookie = await fetch(target, str(tmp_path / "script"))

    assert cookie.reveal() == "KINDERKEKS"
    assert os.environb[b"PATH"] in seen.read_bytes()
    assert b"KINDERKEKS" not in seen.read_bytes()


@pytest.mark.parametrize(
    ("command", "words"), [("echo 'geheim", "split into words"), ("  ", "is blank")]
)
def test_a_command_without_a_program_is_refused_before_it_runs(command: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        CommandCookieSource(CommandSettings(command=command))

    assert "geheim" not in refused.value.message + refused.value.remedy


def test_the_offer_takes_the_command_as_its_argument() -> None:
    (offer,) = erlconnect_cookie_sources()

    assert offer.name == "command"
    assert offer.settings.argument == "command"
    created = offer.create(offer.settings.model_validate({"command": "true"}))
    assert isinstance(created, CommandCookieSource)
