"""Sessions of the commands beside ``connect``."""

from __future__ import annotations

import shlex
from contextlib import ExitStack

from end_to_end.machine import alias_of
from end_to_end.test_railway import railway_network
from recordings.places import COOKIE, SOURCE, recording, shop


def doctor() -> str:
    with shop() as (place, recorded):
        recorded.run(f"erlconnect doctor {place} --cookie-from env:SHOP_COOKIE")
        return recorded.text


def doctor_well() -> str:
    with shop() as (place, recorded):
        recorded.run(f"erlconnect doctor {place} {COOKIE}")
        return recorded.text


def ping() -> str:
    with shop() as (place, recorded):
        recorded.run(f"erlconnect ping {place} {COOKIE}")
        return recorded.text


def targets() -> str:
    with railway_network() as network, recording() as recorded:
        server = f"-o server=127.0.0.1:{network.knot.port}"
        recorded.run(f"erlconnect targets -b railway shop -o dist-port=4444 {server}")
        return recorded.text


def shell() -> str:
    with shop() as (place, recorded):
        recorded.talk(
            f"erlconnect shell {place} {COOKIE} --iex",
            ("(shop@127.0.0.1)1>", "node()"),
            ("(shop@127.0.0.1)2>", "Node.list(:hidden)"),
            last="(shop@127.0.0.1)3>",
            leaving=[("3>", "\x03"), ("(a)bort", "a\r")],
        )
        return recorded.text


def run() -> str:
    with shop() as (place, recorded):
        line = f"erlconnect run {place} {COOKIE} --"
        recorded.run(f"{line} erl_call -name shop@127.0.0.1 -a 'erlang node []'")
        recorded.run(f"{line} sh -c 'echo $ERLCONNECT_NODE is $ERLCONNECT_ALIAS'")
        return recorded.text


def status() -> str:
    with shop() as (place, recorded), ExitStack() as stack:
        here = recorded.here
        session = stack.enter_context(here.session(*shlex.split(place), "--cookie-from", SOURCE))
        local = stack.enter_context(here.node())
        alias = alias_of(session.ready())
        assert local.evaluate(f"erpc:call({alias}, erlang, node, []).") == alias
        recorded.run("erlconnect status")
        return recorded.text
