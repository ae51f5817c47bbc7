"""What variables and flags say of a node, and that real ``erl`` of each release says the same."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from world.emulator_flags import LISTS, differences, flag_lists
from world.missing import require
from world.releases import available

from erlconnect.emulator_args import ErlangVariables, cookie_in_flags, emulator_args, read_variables

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
        RANGE.format(0, 0),
        RANGE.format(65536, 65536),
        "-kernel inet_dist_listen_max inet_dist_listen_min",
        "-eval 'unclosed",
        f"-- -extra {RANGE.format(4444, 4444)}",
        f"-eval {RANGE.format(4444, 4444)[1:]}",
    ],
)
def test_any_other_range_leaves_the_port_to_epmd(flags: str) -> None:
    assert read_variables({"ERL_AFLAGS": flags}).dist_port is None


def test_the_first_variable_counts_as_for_erl() -> None:
    variables = {
        "ERL_AFLAGS": RANGE.format(4444, 4444),
        "ERL_ZFLAGS": RANGE.format(4555, 4555),
    }
    assert read_variables(variables).dist_port == 4444
    assert read_variables({"ERL_AFLAGS": "-kernel inet_dist_listen_min 4444"}).dist_port == 4444


def test_a_quote_that_nothing_closes_ends_with_its_variable() -> None:
    variables = {"ERL_AFLAGS": "-env A 'unclosed", "ERL_FLAGS": RANGE.format(4444, 4444)}
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


@pytest.mark.parametrize(
    "command",
    [
        ["erl", "-setcookie", "monster"],
        ["/usr/bin/tini", "--", "erl", "-setcookie", "monster"],
        ["elixir", "--cookie", "monster", "-S", "mix", "run", "--cookie", "no"],
        ["iex", "--name", "shop@a.b", "--erl", "-setcookie monster", "-S", "mix"],
        ["start.sh", "-setcookie", "monster"],
        ["bin/shop", "start", "--cookie", "monster"],
        ["/erts-13.1/bin/beam.smp", "--", "-home", "/", "--", "-setcookie", "monster"],
    ],
)
def test_flags_of_a_command_may_hold_the_cookie(command: list[str]) -> None:
    assert cookie_in_flags({}, command) == "monster"


@pytest.mark.parametrize(
    ("variables", "command", "cookie"),
    [
        ({"ERL_AFLAGS": "-name a -setcookie monster"}, [], "monster"),
        ({"ERL_FLAGS": "-setcookie it's-mine"}, [], "its-mine"),
        ({"ERL_FLAGS": "-setcookie B"}, ["erl", "-setcookie", "A"], ""),
        ({"ERL_FLAGS": "-setcookie B"}, ["beam.smp", "--", "-setcookie", "A"], "A"),
        ({"ELIXIR_ERL_OPTIONS": "-setcookie B"}, ["erl", "-setcookie", "A"], "A"),
        ({"ELIXIR_ERL_OPTIONS": "-setcookie B"}, ["iex", "--cookie", "A"], ""),
        ({"RELEASE_COOKIE": "abc\n"}, ["bin/shop", "start"], "abc\n"),
        ({"RELEASE_COOKIE": "-84BlQcX_abc"}, [], ""),
        ({"RELEASE_COOKIE": "A", "ERL_FLAGS": "-setcookie B"}, [], ""),
        ({"RELEASE_COOKIE": "A"}, ["erl", "-noinput"], None),
        ({"ERL_AFLAGS": "-name a"}, ["-setcookie"], ""),
        ({}, ["erl", "--cookie", "monster"], None),
        ({}, ["erl", "-setcookie", "OWN", "-setcookie", "o@h", "PEER"], "OWN"),
        ({}, ["/erts-11.1/bin/beam.smp", "--", "-setcookie", "A", "-setcookie", "o@h", "P"], ""),
        ({}, ["erl", "-nocookie", "-setcookie", "A"], "nocookie"),
        ({}, ["erl", "-S", "shop", "-setcookie", "A"], None),
        ({}, ["erl", "-args_file", "unseen", "-setcookie", "A"], "A"),
    ],
)
def test_flags_that_cancel_each_other_leave_the_cookie_to_the_file(
    variables: dict[str, str], command: list[str], cookie: str | None
) -> None:
    assert cookie_in_flags(variables, command) == cookie


@pytest.mark.parametrize(
    ("command", "node"),
    [
        (["erl", "-name", "a@h1.x", "-name", "b@h2.x"], "a@h1.x"),
        (["erl", "-name", "n@h.x", "-sname", "s@h"], "s@h"),
        (["erl", "-sname", "s", "t", "-name", "n@h.x"], "n@h.x"),
        (["iex", "--name", "n@h.x", "-S", "mix", "--name", "m@h.x"], "n@h.x"),
    ],
)
def test_the_first_name_counts_and_a_short_one_before_a_long_one(
    command: list[str], node: str
) -> None:
    assert str(read_variables({}, command).node) == node
    first = read_variables({"ERL_AFLAGS": "-sname env@h"}, command)
    assert str(first.node) == "env@h"


def test_the_port_of_epmd_by_flag() -> None:
    assert read_variables({}, ["erl", "-epmd_port", "4370"]).epmd_port == 4370
    assert read_variables({"ERL_EPMD_PORT": "1"}, ["erl", "-epmd_port", "4370"]).epmd_port == 1


@pytest.mark.parametrize(
    ("variables", "node", "name"),
    [
        ({"RABBITMQ_NODENAME": "rabbit@mq-0"}, "rabbit@mq-0", ""),
        ({"RABBITMQ_NODENAME": "rabbit"}, "None", "rabbit"),
        ({"RABBITMQ_NODE_NAME": "rabbit@a.b", "RABBITMQ_USE_LONGNAME": "true"}, "rabbit@a.b", ""),
        ({"EMQX_NODE__NAME": "emqx@a.b"}, "emqx@a.b", ""),
        ({"EMQX_NODE_NAME": "emqx@a.b"}, "emqx@a.b", ""),
        ({"EMQX_NAME": "mq", "EMQX_HOST": "a.b"}, "mq@a.b", ""),
        ({"EMQX_HOST": "a.b"}, "emqx@a.b", ""),
        ({"DOCKER_VERNEMQ_NODENAME": "a.b"}, "VerneMQ@a.b", ""),
        ({"DOCKER_VERNEMQ_NODENAME": "mq@a.b"}, "mq@a.b", ""),
        ({"ERLANG_NODE_ARG": "ejabberd@main"}, "ejabberd@main", ""),
        ({"ERLANG_NODE": "ejabberd"}, "None", "ejabberd"),
        ({"NODE_NAME": "mongooseim", "NODE_TYPE": "name"}, "None", "mongooseim"),
        ({"NODE_NAME": "machine-1"}, "None", ""),
        ({"NODENAME": "a.b", "COUCHDB_USER": "admin"}, "couchdb@a.b", ""),
        ({"NODENAME": "machine-1"}, "None", ""),
        ({"NODENAME": "a.b", "COUCHDB_USER": "u", "ERL_FLAGS": "-name c@d"}, "c@d", ""),
    ],
)
def test_variables_of_common_servers_name_the_node(
    variables: dict[str, str], node: str, name: str
) -> None:
    told = read_variables(variables)
    assert (str(told.node), told.name) == (node, name)


@pytest.mark.parametrize("program", ["elixir", "iex"])
@pytest.mark.parametrize(
    "words",
    [
        "--name a@b.c --cookie c1 -S mix run --cookie c2",
        "--sname s --erl -setcookie\\x20e --cookie c",
        "--hidden --no-halt -e 1 --cookie c --name a@b.c",
        "-S mix --name a@b.c",
        "--cookie c --unknown x --name a@b.c",
        "--erl -kernel\\x20inet_dist_listen_min\\x209 --name n@h.x --name m@h.x",
    ],
)
def test_options_of_elixir_become_the_flags_that_its_script_makes(program: str, words: str) -> None:
    require("elixir", shutil.which(program) is not None)
    command = [program, *(word.replace("\\x20", " ") for word in words.split())]
    variables = {"ELIXIR_ERL_OPTIONS": "-env A B -epmd_port 4370"}
    done = subprocess.run(
        command,
        env={**os.environ, **variables, "ELIXIR_CLI_DRY_RUN": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    real, ours = emulator_args({}, done.stdout.split()), emulator_args(variables, command)
    for told in (real, ours):
        assert told.epmd_port == 4370
    assert (ours.cookie, ours.name, ours.listen_range) == (
        real.cookie,
        real.name,
        real.listen_range,
    )


@pytest.mark.parametrize("release", ["23", "25", "27", "29"])
def test_real_erl_reads_flag_lists_alike(release: str) -> None:
    present = shutil.which("erl") is not None if release == "25" else release in available()
    require(f"OTP {release}", present)
    asked = flag_lists()[:: LISTS // 50]
    found = list(differences(release, asked))
    assert [(lists, real, ours) for lists, real, ours in found if real is not None] == []
    assert len(found) < len(asked) // 5, "too few lists with which erl starts"
