"""What variables and flags say of the node in a container."""

from __future__ import annotations

import pytest

from erlconnect.erlang_variables import ErlangVariables, cookie_in_flags, read_variables

RANGE = "-kernel inet_dist_listen_min {} inet_dist_listen_max {}"


def test_variables_without_erlang_tell_nothing() -> None:
    assert read_variables({"PORT": "4000"}) == ErlangVariables()


@pytest.mark.parametrize("name", ["shop@shop.railway.internal", "shop@fd12:77::1"])
def test_release_node_is_the_name(name: str) -> None:
    assert str(read_variables({"RELEASE_NODE": name}).node) == name


@pytest.mark.parametrize("name", ["", "shop", "shop@", "@host", "a@b@c"])
def test_what_is_no_name_counts_as_not_told(name: str) -> None:
    assert read_variables({"RELEASE_NODE": name}).node is None


@pytest.mark.parametrize(
    "variable", ["ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "ELIXIR_ERL_OPTIONS"]
)
def test_a_range_of_one_port_is_the_distributions(variable: str) -> None:
    flags = f"-proto_dist inet6_tcp {RANGE.format(4444, 4444)} +K true"
    assert read_variables({variable: flags}).dist_port == 4444


@pytest.mark.parametrize(
    "flags",
    [
        RANGE.format(4444, 4450),
        "-kernel inet_dist_listen_min 4444",
        RANGE.format(0, 0),
        RANGE.format(65536, 65536),
        "-kernel inet_dist_listen_max inet_dist_listen_min",
        "-eval 'unclosed",
    ],
)
def test_any_other_range_leaves_the_port_to_epmd(flags: str) -> None:
    assert read_variables({"ERL_AFLAGS": flags}).dist_port is None


def test_the_later_variable_counts_as_for_erl() -> None:
    variables = {
        "ERL_AFLAGS": RANGE.format(4444, 4444),
        "ERL_ZFLAGS": RANGE.format(4555, 4555),
    }
    assert read_variables(variables).dist_port == 4555


def test_one_variable_that_cannot_be_read_does_not_hide_another() -> None:
    variables = {"ERL_AFLAGS": "'unclosed", "ERL_FLAGS": RANGE.format(4444, 4444)}
    assert read_variables(variables).dist_port == 4444


def test_ports_that_have_variables_of_their_own() -> None:
    told = read_variables({"ERL_DIST_PORT": "9100", "ERL_EPMD_PORT": "4370"})
    assert (told.dist_port, told.epmd_port) == (9100, 4370)


@pytest.mark.parametrize("port", ["", "0", "65536", "-1", "\u0664", "http", " 4444"])
def test_what_is_no_port_counts_as_not_told(port: str) -> None:
    told = read_variables({"ERL_DIST_PORT": port, "ERL_EPMD_PORT": port})
    assert told == ErlangVariables()


@pytest.mark.parametrize(
    ("variables", "name", "distribution"),
    [
        ({"RELEASE_NODE": "shop"}, "shop", "sname"),
        ({"RELEASE_NAME": "shop"}, "shop", "sname"),
        ({"RELEASE_NODE": "shop", "RELEASE_DISTRIBUTION": "name"}, "shop", "name"),
        ({"RELEASE_NODE": "shop@$(POD_IP)"}, "shop", ""),
        ({"RELEASE_NODE": "shop@${POD_IP}", "RELEASE_NAME": "other"}, "shop", ""),
        ({"ERL_FLAGS": "-sname shop"}, "shop", "sname"),
        ({"ELIXIR_ERL_OPTIONS": "-name shop"}, "shop", "name"),
        ({"RELEASE_NODE": "no name"}, "", "sname"),
    ],
)
def test_a_name_without_a_host_is_only_a_part(
    variables: dict[str, str], name: str, distribution: str
) -> None:
    told = read_variables(variables)
    assert (told.node, told.name, told.distribution) == (None, name, distribution)


def test_the_command_line_tells_what_variables_tell() -> None:
    words = [
        "beam.smp",
        "--",
        "-name",
        "shop@a.b",
        "-proto_dist",
        "inet_tls",
        "-erl_epmd_port",
        "9",
    ]
    told = read_variables({}, words)
    assert (str(told.node), told.protocol, told.dist_port) == ("shop@a.b", "inet_tls", 9)
    assert told.distribution == "name"


def test_a_release_names_the_node_and_not_its_flags() -> None:
    told = read_variables({"RELEASE_NODE": "shop@a.b"}, ["--sname", "other"])
    assert str(told.node) == "shop@a.b"


def test_a_range_of_several_ports_is_shown() -> None:
    told = read_variables({"ERL_FLAGS": RANGE.format(9000, 9010)})
    assert (told.dist_port, told.dist_ports) == (None, "9000-9010")


@pytest.mark.parametrize("words", [["-setcookie", "monster"], ["--cookie", "monster"]])
def test_flags_may_hold_the_cookie(words: list[str]) -> None:
    assert cookie_in_flags({}, ["erl", *words]) == "monster"
    assert cookie_in_flags({"ERL_AFLAGS": " ".join(words)}) == "monster"
    assert cookie_in_flags({"ERL_AFLAGS": "-name a"}, ["-setcookie"]) == ""
