"""From a real name server's records to a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from end_to_end.directory import NAME, Directory, real_directory
from end_to_end.evidence import assert_secret
from end_to_end.machine import FROM_VARIABLE, alias_of, machine
from world.connected import REMOTE_COOKIE
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.knot import KnotServer
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with real_directory() as made:
        yield made


@pytest.mark.parametrize(
    ("service", "words", "record"),
    [
        ("_epmd._tcp.shop.shop.test", [], "SRV"),
        ("_dist._tcp.shop.shop.test", [], "SRV"),
        ("shop.shop.test", [], "SRV"),
        ("plain.shop.test", ["-o", "epmd-port={epmd}"], "A"),
        ("web.shop.test", ["-o", "epmd-port={epmd}"], "SRV"),
        ("zero.shop.test", ["-o", "epmd-port={epmd}"], "SRV"),
    ],
)
def test_from_a_record_to_a_call(
    directory: Directory, service: str, words: list[str], record: str
) -> None:
    words = [word.format(epmd=directory.epmd_port) for word in words]
    with (
        machine() as here,
        directory.session(here, service, *words) as session,
        here.node() as local,
    ):
        ready = session.ready()
        entry = ready["aliases"][0]
        assert (entry["node"], entry["dist_port"]) == (NAME, directory.dist_port)
        assert entry["facts"]["record"] == record
        assert ready["backend"] == "dns"
        alias = alias_of(ready)
        assert local.evaluate(f"erpc:call({alias}, erlang, node, []).") == alias
        assert_secret(session.process)


def test_nothing_that_other_ways_need_is_imported_on_the_way(directory: Directory) -> None:
    """With --json nothing is drawn, and one backend's libraries are not for another."""
    with (
        machine(epmd=False) as here,
        directory.session(here, "shop.shop.test", PYTHONPROFILEIMPORTTIME="1") as session,
    ):
        session.ready()
        lines = session.process.stderr.splitlines()
    imported = {line.split("|")[-1].strip() for line in lines if line.startswith("import time:")}
    assert {"typer", "dns.message"} <= imported
    heavy = {"kubernetes", "consul", "aiohttp", "keyring", "rich", "requests", "yaml"}
    assert imported & heavy == set()
    packages = {name.split(".")[1] for name in imported if name.startswith("erlconnect_backends.")}
    assert "dns" in packages
    assert packages.isdisjoint({"consul", "kubernetes", "railway"})


def test_the_first_target_is_dead(directory: Directory) -> None:
    """It costs three seconds and a note, not the session."""
    with (
        machine(epmd=False) as here,
        directory.session(here, "_dist._tcp.two.shop.test") as session,
    ):
        passed = session.wait_event("warning", 15)["message"]
        assert f"127.0.0.1:{directory.dead_port} did not accept a connection" in passed
        assert session.ready(3)["aliases"][0]["node"] == NAME
        others = session.wait_event("warning", number=2)["message"]
        assert "2 targets" in others
        assert "--node" in others


def test_one_of_several_targets_is_named(directory: Directory) -> None:
    with machine(epmd=False) as here:
        words = ["_dist._tcp.two.shop.test", "--node", "shop-0.shop.test"]
        with directory.session(here, *words) as session:
            assert session.ready()["aliases"][0]["node"] == NAME
            assert not [one for one in session.events if one["event"] == "warning"]


def test_a_wrong_template_is_a_warning(directory: Directory) -> None:
    words = ["_dist._tcp.shop.shop.test", "-o", "node=shop@{dashed_ip}.pods.test"]
    with machine(epmd=False) as here, directory.session(here, *words) as session:
        assert session.ready()["aliases"][0]["alias"] == "app@127.0.0.1"
        told = session.wait_event("warning")["message"]
        assert "shop@127-0-0-1.pods.test" in told
        assert f"calls itself {NAME}" in told


def test_an_alias_avoids_the_real_name_of_another_target() -> None:
    """Otherwise a pid of that other node would look like one of this alias."""
    port = free_port()
    only = ("-kernel", "inet_dist_use_interface", "{127,0,0,2}")
    listen = ("inet_dist_listen_min", str(port), "inet_dist_listen_max", str(port))
    zone = "pods A 127.0.0.1\npods A 127.0.0.2\n"
    words = ["pods.shop.test", "-o", "basename=app", "-o", f"dist-port={port}"]
    with (
        KnotServer({"shop.test": zone}) as knot,
        RealEpmd(free_port()) as epmd,
        ErlangNode.start(
            "app@127.0.0.2", epmd_port=epmd.port, cookie=REMOTE_COOKIE, flags=(*only, *listen)
        ),
        machine(epmd=False) as here,
        here.session(
            "-b", "dns", *words, "-o", f"server=127.0.0.1:{knot.port}", *FROM_VARIABLE
        ) as session,
    ):
        entry = session.ready()["aliases"][0]
        assert entry["node"] == "app@127.0.0.2"
        assert entry["alias"] == "app-local@127.0.0.1"
        told = "app@127.0.0.1 is another target; the alias is app-local@127.0.0.1"
        assert told in [one["message"] for one in session.events if one["event"] == "warning"]
