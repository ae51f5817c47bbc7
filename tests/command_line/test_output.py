from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

from erlconnect.command_line.output import report_warnings
from erlconnect.redaction import remember
from erlconnect.session.events import Warned

if TYPE_CHECKING:
    from erlconnect.hookspecs import LinkEvent
    from erlconnect.session.events import Event

LOG = logging.getLogger("somebody_else.transport")


class Heard:
    """A reporter that keeps what it is told, and in which thread."""

    def __init__(self) -> None:
        self.events: list[Event | LinkEvent] = []
        self.threads: set[threading.Thread] = set()

    def report(self, event: Event | LinkEvent) -> None:
        self.events.append(event)
        self.threads.add(threading.current_thread())

    def progress(self, message: str) -> None:
        raise AssertionError(message)


async def test_what_any_thread_logs_as_a_warning_is_reported_in_the_loop() -> None:
    heard = Heard()
    with report_warnings(heard):
        LOG.warning("%s goes another way", "shop-0")
        await asyncio.to_thread(LOG.error, "it failed")
        LOG.info("nobody needs to know")
        await asyncio.sleep(0)
    LOG.warning("too late")
    await asyncio.sleep(0)

    assert heard.events == [
        Warned(message="shop-0 goes another way"),
        Warned(message="it failed"),
    ]
    assert heard.threads == {threading.current_thread()}


async def test_no_secret_is_reported() -> None:
    heard = Heard()
    remember("a-cookie-nobody-sees")
    with report_warnings(heard):
        LOG.warning("the cookie was %s", "a-cookie-nobody-sees")
        await asyncio.sleep(0)

    assert heard.events == [Warned(message="the cookie was [redacted]")]
