"""The cookie source ``prompt``, at a real terminal."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from plugins.cookies.terminal_session import TerminalSession

from erlconnect_plugins.cookies.prompt import PromptCookieSource, erlconnect_cookie_sources

PROGRAM = """
import asyncio, hashlib, sys
from erlconnect.api import ErlconnectError, NodeName, Target
from erlconnect_plugins.cookies import prompt

prompt.DEADLINE_SECONDS = {deadline}
target = Target(node=NodeName.parse("app@10.3.2.1"), address="10.3.2.1")
try:
    cookie = asyncio.run(prompt.PromptCookieSource(prompt.PromptSettings()).fetch(target))
except ErlconnectError as error:
    sys.exit(f"{{error.cause}}: {{error}}")
print(cookie.origin, hashlib.sha256(cookie.reveal().encode("latin-1")).hexdigest())
"""
# SHA-256 of "café" in Latin-1 and of "s3cret".
CAFE = "dafd66c0b98965e688be1fc12942c09f0350e6be0685017c3f234e97d0adc92e"
S3CRET = "1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0"


def asking(deadline: float = 60) -> TerminalSession:
    session = TerminalSession(PROGRAM.format(deadline=deadline))
    session.wait_for("Cookie of app@10.3.2.1: ")
    return session


def test_what_is_typed_is_the_cookie_and_not_on_the_screen() -> None:
    with asking() as session:
        assert not session.echoes
        session.type(b"s3cr\x7frt\x7f\x7fret\n")
        code, output, errors = session.end()

        assert (code, output, errors) == (0, f"typed at the terminal {S3CRET}\n", "")
        assert session.screen == "Cookie of app@10.3.2.1: \r\n"
        assert session.echoes


def test_umlauts_are_typed_as_the_terminal_sends_them() -> None:
    with asking() as session:
        session.type("café\n".encode())
        _, output, _ = session.end()

        assert output == f"typed at the terminal {CAFE}\n"


@pytest.mark.parametrize("keys", [b"\n", b"  \n", b"\x04"])
def test_no_answer_is_no_cookie(keys: bytes) -> None:
    with asking() as session:
        session.type(keys)
        code, _, errors = session.end()

        assert (code, errors) == (1, "cookie-not-found: No cookie of app@10.3.2.1 was typed\n")
        assert session.echoes


def test_ctrl_c_leaves_a_terminal_that_echoes() -> None:
    with asking() as session:
        session.type(b"s3c\x03")
        code, output, errors = session.end()

        assert code == -signal.SIGINT
        assert output == ""
        assert "KeyboardInterrupt" in errors
        assert session.echoes
        assert "s3c" not in session.screen


def test_nobody_is_waited_for_without_end() -> None:
    with asking(deadline=0.3) as session:
        code, _, errors = session.end()

        assert (code, errors.split(":")[0]) == (1, "timed-out")
        assert session.echoes


def test_without_a_terminal_nothing_is_asked() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(deadline=60)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=60,
        check=False,
    )

    assert ended.stderr.startswith("cookie-not-found: There is no terminal to ask for the cookie")
    assert ended.stdout == ""


def test_the_offer_has_no_settings() -> None:
    (offer,) = erlconnect_cookie_sources()

    assert offer.name == "prompt"
    assert not offer.settings.model_fields
    assert isinstance(offer.create(offer.settings()), PromptCookieSource)
