from __future__ import annotations

from erlconnect.epmd.directory import Directory
from erlconnect.epmd.replies import Alive2Response, NamesResponse, Port2Response
from erlconnect.epmd.requests import (
    Alive2Request,
    DumpRequest,
    KillRequest,
    NamesRequest,
    PortPlease2Request,
    StopRequest,
)


def _directory(creation: int = 1000) -> Directory:
    return Directory(4369, creation=creation)


def _register(directory: Directory, name: str, owner: int, *, highest: int = 6) -> Alive2Response:
    request = Alive2Request(port_no=1234, node_name=name, highest_version=highest)
    reply = Alive2Response.parse(directory.answer(request, owner).reply)
    assert reply is not None
    return reply


def _names(directory: Directory) -> tuple[tuple[str, int], ...]:
    return NamesResponse.parse(directory.answer(NamesRequest(), 0).reply).nodes


def test_a_registered_node_is_listed_and_found() -> None:
    directory = _directory()
    request = Alive2Request(port_no=1234, node_name="app", node_type=72, extra=b"x")
    answer = directory.answer(request, 1)
    assert answer.registered
    assert _names(directory) == (("app", 1234),)
    found = Port2Response.parse(directory.answer(PortPlease2Request(node_name="app"), 2).reply)
    assert found == Port2Response(
        result=0,
        port_no=1234,
        node_type=72,
        highest_version=6,
        lowest_version=5,
        node_name="app",
        extra=b"x",
    )


def test_an_unknown_name_is_answered_with_one() -> None:
    assert _directory().answer(PortPlease2Request(node_name="app"), 1).reply == b"w\1"


def test_a_taken_name_is_refused_and_stays_with_its_first_owner() -> None:
    directory = _directory()
    _register(directory, "app", 1)
    assert _register(directory, "app", 2) == Alive2Response(result=1, creation=99)
    directory.forget(2)
    assert _names(directory) == (("app", 1234),)
    directory.forget(1)
    assert _names(directory) == ()


def test_each_registration_has_a_new_creation_that_is_not_one_of_the_small_ones() -> None:
    directory = _directory(creation=0xFFFFFFFE)
    creations = []
    for owner in range(4):
        creations.append(_register(directory, "app", owner).creation)
        directory.forget(owner)
    assert creations == [0xFFFFFFFF, 4, 5, 6]


def test_an_old_node_gets_the_old_reply_with_a_small_creation() -> None:
    reply = _register(_directory(), "app", 1, highest=5)
    assert reply.old
    assert reply.result == 0
    assert reply.creation in (1, 2, 3)


def test_names_that_would_break_the_listing_are_refused() -> None:
    directory = _directory()
    for name in ("a" * 256, "a b", "a\nname b at port 1", "\udcff", "\x7f"):
        assert _register(directory, name, 1).result == 1
    assert _register(directory, "a" * 255, 1).result == 0


def test_the_dump_shows_names_ports_and_connections() -> None:
    directory = _directory()
    _register(directory, "app", 7)
    dump = directory.answer(DumpRequest(), 8).reply
    assert dump == b"\0\0\x11\x11active name     <app> at port 1234, fd = 7\n\0"


def test_nobody_can_end_it_or_drop_a_name() -> None:
    directory = _directory()
    _register(directory, "app", 1)
    assert directory.answer(KillRequest(), 2).reply == b"NO"
    assert directory.answer(StopRequest(node_name="app"), 3).reply == b""
    assert _names(directory) == (("app", 1234),)
