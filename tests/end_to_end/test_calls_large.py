"""Large terms, many atoms and bytes that look like names, through a link and back."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.mirrored import mirrored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.connected import Connected

DEEP = "lists:foldl(fun(_, Deep) -> {} end, Alias, lists:seq(1, 100000))"


@pytest.fixture(scope="module")
def world() -> Iterator[Connected]:
    """Two connected nodes; no test here ends the link."""
    with mirrored() as connected:
        assert connected.call("net_adm:ping(Alias).") == "pong"
        yield connected
        assert connected.session.returncode is None
        warned = [event for event in connected.session.events if event["event"] == "warning"]
        assert warned == []


def same(world: Connected, terms: str) -> str:
    """What ``mirror:same`` says of each term of an Erlang list; ``Names`` are both nodes'."""
    mirrored_terms = f"lists:usort([mirror:same(Alias, Term) || Term <- {terms}])."
    return world.call(f"Names = [Alias, node()], {mirrored_terms}")


def test_a_large_map_keeps_its_keys(world: Connected) -> None:
    assert same(world, "[material:map(Names, 30000)]") == "[same]"
    size = "map_size(erpc:call(Alias, mirror, identity, [material:map([Alias, node()], 30000)]))."
    assert world.call(size) == "60002"


@pytest.mark.parametrize("atoms", [250, 254, 255, 256, 300, 1000])
def test_names_arrive_behind_any_number_of_other_atoms(world: Connected, atoms: int) -> None:
    terms = f"[{{material:atoms({atoms}), Names, self()}}, {{Names, material:atoms({atoms})}}]"
    assert same(world, terms) == "[same]"


@pytest.mark.parametrize(
    "term",
    [
        pytest.param("[1 bsl N || N <- lists:seq(0, 20000, 97)] ++ Names", id="large integers"),
        pytest.param("[-1.5e300, Names, <<1:1>> | Alias]", id="an improper list"),
        pytest.param(f"{DEEP.format('[Deep]')}", id="a deep list"),
        pytest.param(f"material:inline({DEEP.format('{Deep, Names}')}, 0)", id="deep tuples"),
        pytest.param("list_to_tuple(lists:duplicate(70000, Alias))", id="a large tuple"),
        pytest.param("[[], {}, #{}, <<>>, '', \"\", Alias]", id="empty terms"),
    ],
)
def test_terms_of_every_shape_keep_it(world: Connected, term: str) -> None:
    assert same(world, f"[{term}]") == "[same]"


@pytest.mark.parametrize("letter", [0x61, 0xE9, 0x6F22])
def test_the_longest_atoms_may_come_with_the_first_names(letter: int) -> None:
    """A header with an atom of more than 255 bytes gives all its atoms two bytes of length."""
    with mirrored() as connected:
        longest = f"list_to_atom(lists:duplicate(255, {letter}))"
        assert same(connected, f"[[{longest}, Names, self()]]") == "[same]"


def test_ten_thousand_atoms_push_each_other_out_of_the_cache(world: Connected) -> None:
    """Twice over, so that slots are taken, lost and taken again; some collide in one message."""
    hundreds = "[{material:atoms(N, N + 99), Names, self()} || N <- lists:seq(1, 9901, 100)]"
    assert same(world, hundreds) == "[same]"
    assert same(world, f"lists:reverse({hundreds})") == "[same]"


def test_what_only_looks_like_a_name_is_not_touched(world: Connected) -> None:
    assert same(world, "[material:mixed(Names, 4000), material:bitstrings(Names)]") == "[same]"
    texts = "[Text || Texts <- material:bytes(Names), Text <- tuple_to_list(Texts)]"
    assert same(world, texts) == "[same]"


def test_what_only_looks_like_a_name_is_not_touched_between_names(world: Connected) -> None:
    inline = "material:inline([{Names, material:bytes(Names)} || _ <- lists:seq(1, 4000)], 10)"
    assert same(world, f"[{inline}]") == "[same]"


def test_bytes_arrive_as_they_were_made(world: Connected) -> None:
    """Said without ``mirror``: the bytes themselves, in a list of numbers and as a checksum."""
    made = "Made = term_to_binary({Alias, [Alias, node()], self()})"
    there = "erpc:call(Alias, erlang, binary_to_list, [Made]) =:= binary_to_list(Made)"
    assert world.call(f"{made}, {there}.") == "true"
    many = "Many = binary:copy(Made, 100000)"
    checked = "erpc:call(Alias, erlang, md5, [Many]) =:= erlang:md5(Many)"
    assert world.call(f"{made}, {many}, {checked}.") == "true"


def test_a_binary_of_64_megabytes_goes_both_ways(world: Connected) -> None:
    random = "binary:copy(crypto:strong_rand_bytes(1024 * 1024), 64)"
    named = "binary:copy(term_to_binary([Alias, node()]), 1024 * 1024)"
    assert same(world, f"[{random}, {{Names, {named}, Names}}]") == "[same]"


def test_a_term_of_several_megabytes_is_made_of_everything(world: Connected) -> None:
    assert same(world, "[material:large(Names, 1500)]") == "[same]"
    from_there = "mirror:same(Alias, erpc:call(Alias, material, large, [[Alias, node()], 1500]))."
    assert world.call(from_there) == "same"


def test_nothing_that_goes_through_this_machine_is_paced(world: Connected) -> None:
    port = world.call('{port, Port, _} = erl_epmd:port_please("app", {127,0,0,1}), Port.')
    ours = f"sport = :{port} or dport = :{world.remote.dist_port}"
    shown = subprocess.run(["ss", "-Htin", ours], capture_output=True, text=True, check=True)
    algorithms = [line.split()[0] for line in shown.stdout.splitlines()[1::2]]
    assert algorithms == ["reno", "reno"]
