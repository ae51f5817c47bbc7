"""Messages of many fragments: names on every border, in funs, from many senders at once.

OTP cuts messages at every 64 KiB. A name stands inline only behind 255 other atoms, which is what
``material:inline`` begins with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from end_to_end.mirrored import load, mirrored
from world.connected import REMOTE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.connected import Connected

SENDERS = """
    Names = [Alias, node()],
    Owner = self(),
    Send = fun(N) ->
        Name = list_to_atom("sender_" ++ integer_to_list(N)),
        Term = {material:large(Names, 100 + N), binary:copy(<<N>>, 1 bsl 20), Names},
        Owner ! {sent, [mirror:same(Alias, Term, Name) || _ <- lists:seq(1, 5)]}
    end,
    [spawn_link(fun() -> Send(N) end) || N <- lists:seq(1, 8)],
    lists:usort(lists:append([receive {sent, Seen} -> Seen end || _ <- lists:seq(1, 8)])).
"""


@pytest.fixture(scope="module", params=["names become longer", "names become shorter"])
def world(request: pytest.FixtureRequest) -> Iterator[Connected]:
    """Two connected nodes; what becomes longer on the way out becomes shorter on the way back."""
    if request.param == "names become longer":
        options, name = [], REMOTE_NAME
    else:
        options, name = ["--as", "an-application-with-a-long-alias", "--caller-name", "d@x"], "b@c"
    with mirrored(*options, remote_name=name) as connected:
        assert connected.call("net_adm:ping(Alias).") == "pong"
        yield connected
        connected.session.terminate()
        down = connected.session.wait_event("link-down")
        assert down["reason"] == "the session ended"
        # Names in a cache would be counted once, so these stood in the messages themselves.
        assert down["rewritten"] > 500_000


def same(world: Connected, terms: str) -> str:
    """What ``mirror:same`` says of each term of an Erlang list; ``Names`` are both nodes'."""
    mirrored_terms = f"lists:usort([mirror:same(Alias, Term) || Term <- {terms}])."
    return world.call(f"Names = [Alias, node()], {mirrored_terms}", 110)


@pytest.mark.parametrize("name", ["Alias", "node()", "self()"])
def test_a_name_may_begin_at_every_offset_before_a_border(world: Connected, name: str) -> None:
    """Nothing but names, of which the padding moves each by one byte: every border cuts one."""
    inline = f"material:inline(lists:duplicate(8000, {name}), Padding)"
    assert same(world, f"[{inline} || Padding <- lists:seq(0, 60)]") == "[same]"


def test_megabytes_of_names_hold_whole(world: Connected) -> None:
    element = "[Names, self(), binary:copy(<<N>>, N rem 100), N * N, float(N)]"
    inline = f"material:inline([{element} || N <- lists:seq(1, 60000)], 0)"
    assert same(world, f"[{inline}]") == "[same]"


def test_names_stand_before_between_and_behind_large_binaries(world: Connected) -> None:
    sizes = "lists:seq(65000, 66000, 97)"
    parts = f"[[Names, binary:copy(<<119, 13>>, Size div 2), self()] || Size <- {sizes}]"
    assert same(world, f"[material:inline({parts}, 0), {parts}]") == "[same]"


@pytest.mark.parametrize("place", ["{F, Pad}", "{Pad, F}", "{Pad, F, Pad}", "[Pad | F]"])
def test_a_fun_may_stand_at_every_offset_before_a_border(world: Connected, place: str) -> None:
    """And be the end of the message, or have a binary behind it."""
    term = f"begin Pad = binary:copy(<<0>>, Padding), F = material:nested(Names), {place} end"
    paddings = "lists:seq(63000, 65600, 13)"
    assert same(world, f"[{{material:atoms(300), {term}}} || Padding <- {paddings}]") == "[same]"


def test_a_fun_may_enclose_more_than_a_fragment(world: Connected) -> None:
    enclosed = "material:nested(lists:duplicate(20000, Alias) ++ Names)"
    assert same(world, f"[material:inline({enclosed}, P) || P <- lists:seq(0, 30, 3)]") == "[same]"


def test_a_fun_of_a_fragmented_message_can_be_called_there(world: Connected) -> None:
    called = """
        Names = lists:duplicate(20000, [Alias, node(), self()]),
        erpc:call(Alias, mirror, call, [{material:atoms(300), material:counting(Names)}]) =:=
            {20000, [Alias, node(), self()]}.
    """
    assert world.call(called) == "true"


def test_an_exit_reason_may_have_many_fragments(world: Connected) -> None:
    load("calls", world.remote, world.local)
    assert world.call("calls:large_reason(Alias).") == "true"


def test_eight_senders_interleave_their_fragments(world: Connected) -> None:
    assert world.call(SENDERS, 110) == "[same]"
