"""The JSON form of every event: the contract that programs rely on."""

from __future__ import annotations

import json
from typing import Any

from erlconnect.errors import RemoteCookieError
from erlconnect.hookspecs import LinkEvent
from erlconnect.session.events import (
    AliasEntry,
    Failed,
    Ready,
    Stopped,
    TargetLost,
    TargetReplaced,
    Warned,
    payload,
)

LINK: dict[str, Any] = {
    "alias": "shop@127.0.0.1",
    "node": "shop@10.3.2.1",
    "local_node": "dev@127.0.0.1",
    "caller_name": "dev-me-01234567@erlconnect.invalid",
}


def test_ready() -> None:
    alias = AliasEntry(
        alias="shop@127.0.0.1",
        short_alias="shop@localhost",
        ipv6_alias="shop@::1",
        node="shop@10.3.2.1",
        address="10.3.2.1",
        dist_port=41000,
        local_port=35000,
        backend="dns",
        transport="direct",
        cookie_source="file",
        facts={"zone": "a"},
    )
    ready = Ready(
        epmd_port=4369,
        epmd_embedded=True,
        aliases=[alias],
    )
    assert json.loads(json.dumps(payload(ready))) == {
        "schema": 1,
        "event": "ready",
        "backend": "dns",
        "transport": "direct",
        "cookie_source": "file",
        "epmd": {"port": 4369, "embedded": True},
        "aliases": [
            {
                "alias": "shop@127.0.0.1",
                "short_alias": "shop@localhost",
                "ipv6_alias": "shop@::1",
                "node": "shop@10.3.2.1",
                "address": "10.3.2.1",
                "dist_port": 41000,
                "local_port": 35000,
                "backend": "dns",
                "transport": "direct",
                "cookie_source": "file",
                "facts": {"zone": "a"},
            }
        ],
    }


def test_link_up_has_names_only() -> None:
    assert payload(LinkEvent(kind="link-up", **LINK)) == {"schema": 1, "event": "link-up", **LINK}


def test_link_down_counts() -> None:
    counts: dict[str, Any] = {
        "reason": "the local node closed the connection",
        "bytes_in": 1,
        "bytes_out": 2,
        "frames_in": 3,
        "frames_out": 4,
        "rewritten": 5,
        "refused": 6,
    }
    event = LinkEvent(kind="link-down", **LINK, **counts)
    assert payload(event) == {"schema": 1, "event": "link-down", **LINK, **counts}


def test_error_of_the_session_and_of_a_link() -> None:
    error = RemoteCookieError("it said no", remedy="use another")
    fields = {
        "schema": 1,
        "event": "error",
        "code": 77,
        "cause": "remote-cookie-rejected",
        "message": "it said no",
        "remedy": "use another",
    }
    assert payload(Failed(error=error)) == fields
    named = {"alias": LINK["alias"], "local_node": LINK["local_node"]}
    assert payload(Failed(error=error, **named)) == {**fields, **named}


def test_the_others() -> None:
    assert payload(Warned(message="m")) == {"schema": 1, "event": "warning", "message": "m"}
    assert payload(Stopped(reason="r")) == {"schema": 1, "event": "stopped", "reason": "r"}
    lost = payload(TargetLost(alias="a", node="n", message="m"))
    assert lost == {
        "schema": 1,
        "event": "target-lost",
        "alias": "a",
        "node": "n",
        "message": "m",
    }
    replaced = TargetReplaced(alias="a", old_node="o", node="n", address="x", dist_port=1)
    assert payload(replaced) == {
        "schema": 1,
        "event": "target-replaced",
        "alias": "a",
        "old_node": "o",
        "node": "n",
        "address": "x",
        "dist_port": 1,
    }
