"""JSON is redacted except where a field has to be exact; logged warnings become events."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from typing import TYPE_CHECKING, Any

from erlconnect.api import remember
from erlconnect.command_line.output import JsonReporter, print_line, report_warnings
from erlconnect.session.events import AliasEntry, Ready, TargetLost, Warned, redacted_fields

if TYPE_CHECKING:
    import pytest

    from erlconnect.hookspecs import LinkEvent
    from erlconnect.session.events import Event

LOG = logging.getLogger("somebody_else.transport")
SECRET = "QWERTYUIOPSECRET"


def printed_event(capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capfd.readouterr().out.splitlines()
    fields: dict[str, Any] = json.loads(line)
    return fields


def entry(**changed: Any) -> AliasEntry:
    names = {"alias": "app@localhost", "short_alias": "app@here", "ipv6_alias": "app@::1"}
    ways = {"backend": "fixed", "transport": "direct", "cookie_source": "env"}
    fields = {**names, **ways, "node": "app@10.0.0.1", "address": "10.0.0.1", "facts": {}}
    return AliasEntry(**{**fields, "dist_port": 1, "local_port": 2, **changed})


def test_a_field_of_json_that_is_not_listed_is_redacted(capfd: pytest.CaptureFixture[str]) -> None:
    remember(SECRET)
    print_line({"schema": 1, "new": [{"field": f"is {SECRET}"}, SECRET], "number": 3, "none": None})
    assert printed_event(capfd) == {
        "schema": 1,
        "new": [{"field": "is [redacted]"}, "[redacted]"],
        "number": 3,
        "none": None,
    }


def test_what_a_directory_says_of_a_target_is_redacted(capfd: pytest.CaptureFixture[str]) -> None:
    remember(SECRET)
    alias = entry(facts={"note": f"cookie={SECRET}"})
    JsonReporter().report(Ready(epmd_port=4369, epmd_embedded=True, aliases=[alias]))
    assert printed_event(capfd)["aliases"][0]["facts"] == {"note": "cookie=[redacted]"}


def test_names_are_exact_where_the_cookie_is_a_common_word(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for word in ("app", "error", "fixed", "direct", "target-lost"):
        remember(word)
    JsonReporter().report(TargetLost(alias="app@localhost", node="app@10.0.0.1", message="app"))
    assert printed_event(capfd) == {
        "schema": 1,
        "event": "target-lost",
        "alias": "app@localhost",
        "node": "app@10.0.0.1",
        "message": "[redacted]",
    }
    exact = redacted_fields({"backend": "fixed", "transport": "direct", "cause": "error"})
    assert exact == {"backend": "fixed", "transport": "direct", "cause": "error"}


class RecordingReporter:
    """A reporter that keeps the events, and the threads in which they were reported."""

    def __init__(self) -> None:
        self.events: list[Event | LinkEvent] = []
        self.threads: set[threading.Thread] = set()

    def report(self, event: Event | LinkEvent) -> None:
        self.events.append(event)
        self.threads.add(threading.current_thread())

    def progress(self, message: str) -> None:
        raise AssertionError(message)


async def test_what_any_thread_logs_as_a_warning_is_reported_in_the_loop() -> None:
    reporter = RecordingReporter()
    with report_warnings(reporter):
        LOG.warning("%s goes another way", "shop-0")
        await asyncio.to_thread(LOG.error, "it failed")
        LOG.info("nobody needs to know")
        await asyncio.sleep(0)
    LOG.warning("too late")
    await asyncio.sleep(0)

    assert reporter.events == [
        Warned(message="shop-0 goes another way"),
        Warned(message="it failed"),
    ]
    assert reporter.threads == {threading.current_thread()}


async def test_no_secret_is_reported() -> None:
    reporter = RecordingReporter()
    remember("a-cookie-nobody-sees")
    with report_warnings(reporter):
        LOG.warning("the cookie was %s", "a-cookie-nobody-sees")
        await asyncio.sleep(0)

    assert reporter.events == [Warned(message="the cookie was [redacted]")]
