"""Every string that goes out as JSON is redacted, except where a field has to be exact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from erlconnect.api import remember
from erlconnect.command_line.output import JsonReporter, print_line
from erlconnect.session.events import AliasEntry, Ready, TargetLost, redacted_fields

if TYPE_CHECKING:
    import pytest

SECRET = "QWERTYUIOPSECRET"


def told(capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capfd.readouterr().out.splitlines()
    fields: dict[str, Any] = json.loads(line)
    return fields


def entry(**changed: Any) -> AliasEntry:
    names = {"alias": "app@localhost", "short_alias": "app@here", "ipv6_alias": "app@::1"}
    ways = {"backend": "fixed", "transport": "direct", "cookie_source": "env"}
    fields = {**names, **ways, "node": "app@10.0.0.1", "address": "10.0.0.1", "facts": {}}
    return AliasEntry(**{**fields, "dist_port": 1, "local_port": 2, **changed})


def test_a_field_that_nobody_thought_of_is_redacted(capfd: pytest.CaptureFixture[str]) -> None:
    remember(SECRET)
    print_line({"schema": 1, "new": [{"field": f"is {SECRET}"}, SECRET], "number": 3, "none": None})
    assert told(capfd) == {
        "schema": 1,
        "new": [{"field": "is [redacted]"}, "[redacted]"],
        "number": 3,
        "none": None,
    }


def test_what_a_directory_says_of_a_target_is_redacted(capfd: pytest.CaptureFixture[str]) -> None:
    remember(SECRET)
    alias = entry(facts={"note": f"cookie={SECRET}"})
    JsonReporter().report(Ready(epmd_port=4369, epmd_embedded=True, aliases=[alias]))
    assert told(capfd)["aliases"][0]["facts"] == {"note": "cookie=[redacted]"}


def test_names_are_exact_where_the_cookie_is_a_common_word(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for word in ("app", "error", "fixed", "direct", "target-lost"):
        remember(word)
    JsonReporter().report(TargetLost(alias="app@localhost", node="app@10.0.0.1", message="app"))
    assert told(capfd) == {
        "schema": 1,
        "event": "target-lost",
        "alias": "app@localhost",
        "node": "app@10.0.0.1",
        "message": "[redacted]",
    }
    exact = redacted_fields({"backend": "fixed", "transport": "direct", "cause": "error"})
    assert exact == {"backend": "fixed", "transport": "direct", "cause": "error"}
