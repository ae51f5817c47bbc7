"""No form of a secret is left in a text, a log or a traceback."""

from __future__ import annotations

import base64
import io
import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.logging import RichHandler

from erlconnect.api import Cookie
from erlconnect.redaction import RedactingFilter, Redactor, redact, redacted_traceback, remember

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = 'Nz7"pä/s s+w\\ord\t%x'


def redactor(*secrets: str) -> Redactor:
    made = Redactor()
    for secret in secrets:
        made.remember(secret)
    return made


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        repr(SECRET),
        repr([SECRET, "it's"]),
        ascii(SECRET),
        json.dumps({"cookie": SECRET}),
        json.dumps({"cookie": SECRET}, ensure_ascii=False),
        repr(SECRET.encode()),
        repr(SECRET.encode("latin-1")),
        "http://example.com/?cookie=" + quote(SECRET),
        "http://example.com/?cookie=" + quote(SECRET, safe=""),
        "http://example.com/?cookie=" + quote(SECRET, safe="").lower().replace("nz", "Nz"),
        "cookie=" + quote_plus(SECRET) + "&x=1",
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode("latin-1")).decode().rstrip("="),
    ],
)
def test_every_way_of_writing_a_secret_is_replaced(form: str) -> None:
    shown = redactor(SECRET).redact(f"before {form} after")

    assert "[redacted]" in shown
    assert "ord" not in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("it's-a-secret", repr('the "cookie" it\'s-a-secret')),
        ("tök€n-value", ascii("tök€n-value")),
    ],
)
def test_how_python_escapes_depends_on_the_text_around(secret: str, text: str) -> None:
    shown = redactor(secret).redact(text)

    assert "[redacted]" in shown
    assert "secret" not in shown
    assert "value" not in shown


def test_the_rest_of_the_text_stays() -> None:
    assert (
        redactor("monster").redact("cookie=monster, node=app@h") == "cookie=[redacted], node=app@h"
    )


def test_without_secrets_a_text_stays() -> None:
    assert Redactor().redact("anything [redacted]") == "anything [redacted]"


@given(
    secret=st.text(alphabet=st.characters(max_codepoint=0xFF), min_size=4).filter(str.strip),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_no_secret_of_four_characters_survives(secret: str, before: str, after: str) -> None:
    shown = redactor(secret).redact(before + secret + after)

    assert "[redacted]" in shown
    assert secret not in shown.replace("[redacted]", "")[len(before) :].removesuffix(after)


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@given(
    secret=st.text(alphabet="ab~?>ÿ", min_size=8, max_size=40),
    before=st.binary(max_size=7),
    after=st.binary(max_size=7),
)
def test_a_secret_inside_longer_base64_is_replaced(
    encode: Callable[[bytes], bytes], secret: str, before: bytes, after: bytes
) -> None:
    shown = redactor(secret).redact(encode(before + secret.encode() + after).decode())

    left_over = shown.replace("[redacted]", "").rstrip("=")
    assert "[redacted]" in shown
    assert len(left_over) <= (len(before) + len(after)) * 4 / 3 + 1


def test_a_short_secret_is_replaced_as_a_whole_word_only() -> None:
    shown = redactor("app").redact("app, application, 'app', my_app, app@host")

    assert shown == "[redacted], application, '[redacted]', my_app, [redacted]@host"


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_blank_text_is_no_secret(blank: str) -> None:
    assert redactor(blank).redact("a b\nc") == "a b\nc"


def test_of_two_secrets_the_longer_one_goes_first() -> None:
    assert redactor("monster", "monsterbell").redact("monsterbell") == "[redacted]"


def test_redacting_twice_changes_nothing() -> None:
    twice = redactor("redacted", "monster")

    assert twice.redact(twice.redact("a monster redacted")) == "a [redacted] [redacted]"


def test_a_cookie_is_remembered_as_soon_as_there_is_one() -> None:
    Cookie("UHRWERKORANGE", origin="test")

    assert redact("the cookie is UHRWERKORANGE") == "the cookie is [redacted]"


def fail(text: str) -> NoReturn:
    error = ValueError(text)
    error.add_note(f"tried {text}")
    raise error


def fail_because(text: str) -> NoReturn:
    try:
        fail(text)
    except ValueError as cause:
        raise RuntimeError(repr(text)) from cause


def test_a_traceback_is_shown_without_secrets_in_cause_and_notes() -> None:
    secret = "TRACED" + "SECRET"
    remember(secret)
    with pytest.raises(RuntimeError) as raised:
        fail_because(secret)
    shown = redacted_traceback(raised.value)

    assert secret not in shown
    assert "ValueError: [redacted]" in shown
    assert "tried [redacted]" in shown
    assert "RuntimeError: '[redacted]'" in shown


def logger_with(handler: logging.Handler) -> logging.Logger:
    logger = logging.getLogger("erlconnect.tests.redaction")
    logger.propagate = False
    logger.handlers = [handler]
    handler.addFilter(RedactingFilter())
    return logger


@pytest.fixture
def log() -> tuple[logging.Logger, io.StringIO]:
    remember("LOGGEDSECRET")
    written = io.StringIO()
    return logger_with(logging.StreamHandler(written)), written


def test_a_log_message_loses_secrets_in_text_and_arguments(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, written = log
    logger.warning("LOGGEDSECRET %s %r %d", "LOGGEDSECRET", {"a": b"LOGGEDSECRET"}, 7)

    assert written.getvalue() == "[redacted] [redacted] {'a': b'[redacted]'} 7\n"


def test_a_log_message_whose_arguments_do_not_fit_shows_none_of_them(
    log: tuple[logging.Logger, io.StringIO], capsys: pytest.CaptureFixture[str]
) -> None:
    logger, written = log
    logger.warning("%d bytes", "LOGGEDSECRET")

    assert written.getvalue() == "%d bytes (its arguments do not fit: TypeError)\n"
    assert capsys.readouterr().err == ""


def test_a_logged_exception_and_stack_lose_secrets(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, written = log
    secret = "LOGGED" + "SECRET"
    try:
        fail(secret)
    except ValueError:
        logger.exception("failed", stack_info=True)

    assert "ValueError: [redacted]" in written.getvalue()
    assert "Stack (most recent call last)" in written.getvalue()
    assert secret not in written.getvalue()


def test_a_handler_that_draws_tracebacks_itself_gets_the_redacted_one() -> None:
    secret = "DRAWN" + "SECRET"
    remember(secret)
    written = io.StringIO()
    console = Console(file=written, width=200)
    logger = logger_with(
        RichHandler(console=console, rich_tracebacks=True, tracebacks_show_locals=True)
    )
    try:
        fail(secret)
    except ValueError:
        logger.exception("failed")

    assert "ValueError: [redacted]" in written.getvalue()
    assert secret not in written.getvalue()


def test_redaction_is_there_before_anything_heavy_is_imported() -> None:
    program = "import sys, erlconnect.redaction; print(*sys.modules)"
    imported = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    ).stdout.split()

    assert "erlconnect.redaction" in imported
    assert not {"pydantic", "asyncio", "pluggy"} & set(imported)
