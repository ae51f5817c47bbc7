"""Profiles with real nodes: what is written once is what every command then does."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from configuration.homes import write
from end_to_end.evidence import COMMAND, assert_no_secret, assert_secret
from end_to_end.machine import VARIABLE, machine
from end_to_end.terminal import AtTerminal
from world.connected import REMOTE_COOKIE, remote_node
from world.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Two remote nodes; each has its own port."""

    shop: ErlangNode
    billing: ErlangNode

    @property
    def profiles(self) -> str:
        """A file in which one profile leads to both, and asks nothing."""
        return f"""
            [profiles.staging]
            backend = "fixed"
            cookie = {{ from = "env", name = "{VARIABLE}" }}
            [profiles.staging.fixed]
            address = "127.0.0.1"
            [profiles.staging.services.shop]
            target = "{self.shop.name}"
            dist-port = {self.shop.dist_port}
            [profiles.staging.services.billing]
            target = "{self.billing.name}"
            dist-port = {self.billing.dist_port}
            as = "money"
            [profiles.production]
            inherits = "staging"
            confirm = true
            """


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with (
        remote_node("shop@shop-0.shop.test") as shop,
        remote_node("billing@billing-0.shop.test") as billing,
    ):
        yield Nodes(shop=shop, billing=billing)


@pytest.fixture
def here(nodes: Nodes) -> Iterator[Machine]:
    with machine() as one:
        write(user_file(one), nodes.profiles)
        yield one


def user_file(here: Machine) -> Path:
    return here.home / ".config" / "erlconnect" / "config.toml"


@contextmanager
def started(
    here: Machine, *words: str, folder: Path | None = None, **more: str
) -> Iterator[Process]:
    with Process(
        [COMMAND, *words, "--json"],
        environment={**here.environment(), **more},
        directory=folder or here.home,
    ) as process:
        yield process


def first_event(process: Process) -> dict[str, object]:
    event: dict[str, object] = json.loads(
        process.wait_for_line(lambda line: "warning" not in line, 30, stream="stdout")
    )
    return event


def node_of(here: Machine, *words: str, folder: Path | None = None, **more: str) -> object:
    """The real name of the only node to which ``words`` lead, or the cause of the failure."""
    with started(here, *words, folder=folder, **more) as process:
        event = first_event(process)
        assert_secret(process)
        if event["event"] == "error":
            return event["cause"]
        aliases = event["aliases"]
        assert isinstance(aliases, list)
        assert len(aliases) == 1
        return aliases[0]["node"]


def test_one_word_leads_to_a_node_that_answers(here: Machine, nodes: Nodes) -> None:
    with started(here, "staging/shop") as process, here.node() as local:
        ready = first_event(process)
        assert ready["cookie_source"] == "env"
        called = "rpc:call('shop@127.0.0.1', erlang, node, [])."
        assert local.evaluate(called) == "'shop@127.0.0.1'"
        assert (
            local.evaluate("rpc:call('shop@127.0.0.1', os, getpid, []).") == f'"{nodes.shop.pid}"'
        )


def test_several_words_lead_to_several_nodes_at_once(here: Machine, nodes: Nodes) -> None:
    with started(here, "staging/shop", "staging/billing") as process, here.node() as local:
        ready = first_event(process)
        aliases = ready["aliases"]
        assert isinstance(aliases, list)
        assert [(one["alias"], one["node"]) for one in aliases] == [
            ("shop@127.0.0.1", nodes.shop.name),
            ("money@127.0.0.1", nodes.billing.name),
        ]
        for alias, node in (("shop", nodes.shop), ("money", nodes.billing)):
            called = f"rpc:call('{alias}@127.0.0.1', os, getpid, [])."
            assert local.evaluate(called) == f'"{node.pid}"'


@pytest.mark.parametrize(
    "words",
    [
        ["-p", "staging", "shop"],
        ["--profile", "staging", "shop"],
        ["connect", "staging/shop"],
        ["-p", "staging", "-b", "fixed", "shop"],
    ],
)
def test_other_ways_to_name_it(here: Machine, nodes: Nodes, words: list[str]) -> None:
    assert node_of(here, *words) == nodes.shop.name


def test_a_default_is_used_where_neither_profile_nor_backend_is_named(
    here: Machine, nodes: Nodes
) -> None:
    assert node_of(here, "shop", ERLCONNECT_PROFILE="staging") == nodes.shop.name
    write(user_file(here), 'default-profile = "staging"\n' + dedented(nodes.profiles))
    assert node_of(here, "shop") == nodes.shop.name
    # Nothing of the profile takes part then, not even its cookie or address.
    assert node_of(here, "-b", "fixed", "shop@127.0.0.1", "-o", "dist-port=1") == "unreachable"
    assert node_of(here, "-b", "fixed", "shop") == "usage"


def dedented(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines())


def test_flag_before_variable_before_project_before_user(here: Machine, nodes: Nodes) -> None:
    """A wrong port below a right one never counts, and a wrong one above always does."""
    project = here.home / "project"
    trusted = write(project / "erlconnect.toml", "")
    port = str(nodes.shop.dist_port)
    layers: list[tuple[str, dict[str, str], list[str]]] = [
        ("1", {}, []),
        (port, {}, []),
        ("1", {"ERLCONNECT_SESSION_DIST_PORT": port}, []),
        (port, {"ERLCONNECT_SESSION_DIST_PORT": "1"}, []),
        ("1", {"ERLCONNECT_SESSION_DIST_PORT": "1"}, ["-o", f"dist-port={port}"]),
        (port, {"ERLCONNECT_SESSION_DIST_PORT": port}, ["-o", "dist-port=1"]),
    ]
    found = []
    for in_project, variables, words in layers:
        write(trusted, f"[profiles.staging.services.shop]\ndist-port = {in_project}\n")
        with Process(
            [COMMAND, "trust", "-y"], environment=here.environment(), directory=project
        ) as one:
            assert one.wait(10) == 0
        found.append(node_of(here, "staging/shop", *words, folder=project, **variables))
    name = nodes.shop.name
    assert found == ["unreachable", name, name, "unreachable", name, "unreachable"]


def test_paths_in_a_projects_file_begin_at_its_folder(here: Machine, nodes: Nodes) -> None:
    project = here.home / "project"
    secret = write(project / "secrets" / "remote.cookie", REMOTE_COOKIE)
    local = write(project / "secrets" / "local.cookie", "another-local-cookie")
    for file in (secret, local):
        file.chmod(0o400)
    write(
        project / "erlconnect.toml",
        """
        [profiles.staging]
        cookie = { from = "file", path = "secrets/remote.cookie" }
        local-cookie-file = "secrets/local.cookie"
        """,
    )
    (project / "deep" / "down").mkdir(parents=True)
    with Process(
        [COMMAND, "trust", "-y"], environment=here.environment(), directory=project
    ) as one:
        assert one.wait(10) == 0
    with (
        started(here, "staging/shop", folder=project / "deep" / "down") as process,
        here.node(cookie="another-local-cookie") as local_node,
    ):
        ready = first_event(process)
        assert ready.get("cookie_source") == "file", ready
        called = "rpc:call('shop@127.0.0.1', os, getpid, [])."
        assert local_node.evaluate(called) == f'"{nodes.shop.pid}"'


def test_an_untrusted_project_connects_nobody_and_runs_nothing(here: Machine) -> None:
    project = here.home / "project"
    touched = here.home / "touched"
    for text in (
        f'[profiles.staging]\ncookie = {{ from = "command", command = "touch {touched}" }}\n',
        f'[profiles.staging]\ntransport = {{ name = "command", command = "touch {touched}" }}\n',
        '[profiles.staging.fixed]\naddress = "127.0.0.2"\n',
        "[profiles.production]\nconfirm = false\n",
        '[plugins]\nprefer = { fixed = "somebody" }\n',
    ):
        write(project / "erlconnect.toml", text)
        for words in (["staging/shop"], ["-b", "fixed", "a@127.0.0.1"]):
            assert node_of(here, *words, folder=project) == "untrusted-file"
    assert not touched.exists()


def test_an_untrusted_project_may_choose_among_the_users_profiles(
    here: Machine, nodes: Nodes
) -> None:
    project = here.home / "project"
    write(
        project / "erlconnect.toml",
        'default-profile = "ours"\n[profiles.ours]\ninherits = "staging"\n',
    )
    assert node_of(here, "shop", folder=project) == nodes.shop.name


def test_production_is_asked_for_by_name(here: Machine, nodes: Nodes) -> None:
    words = ("production/shop", "-v")
    with AtTerminal(*words, environment=here.environment()) as terminal:
        question = f"The profile production leads to {nodes.shop.name} (fixed, address 127.0.0.1)."
        terminal.wait_for("Connect? [y/N]")
        assert terminal.screen.startswith(question)
        terminal.type("y\r")
        terminal.wait_for("erl_call")
        terminal.type("\x03")
        assert terminal.wait() == 130
        assert_no_secret(terminal.screen)


@pytest.mark.parametrize("answer", ["n\r", "\r", "\x03"])
def test_without_a_yes_nothing_is_opened(here: Machine, answer: str) -> None:
    with AtTerminal("production/shop", environment=here.environment()) as terminal:
        terminal.wait_for_question("[y/N]")
        terminal.type(answer)
        assert terminal.wait() == 130
        assert "erl_call" not in terminal.screen
    assert here.left_over_files() == []


def test_one_question_for_a_profile_however_many_names(here: Machine) -> None:
    words = ("production/shop", "production/billing")
    with AtTerminal(*words, environment=here.environment()) as terminal:
        terminal.wait_for("[y/N]")
        terminal.type("y\r")
        terminal.wait_for("erl_call")
        assert terminal.screen.count("[y/N]") == 1


@pytest.mark.parametrize("more", [[], ["--no-input"]])
def test_where_nobody_can_be_asked_production_is_not_connected(
    here: Machine, more: list[str]
) -> None:
    with started(here, "production/shop", *more) as process:
        event = first_event(process)
        assert (event["event"], event["code"]) == ("error", 2)
        assert f"the profile production ({user_file(here)}, line 15) asks" in str(event["message"])
        assert "without --no-input" in str(event["remedy"])


def test_a_kind_of_kubernetes_before_the_slash_is_no_profile(here: Machine) -> None:
    assert node_of(here, "deploy/shop", "-b", "fixed") == "usage"
    assert node_of(here, "-p", "staging", "staging/shop") == "usage"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a/x", "staging/shop", "staging/billing", "--node", "x"], "--node is for one target"),
        (["staging/shop", "staging/billing", "--as", "x"], "--as is for one target, and 2 are"),
        (["staging/shop", "staging/shop"], "staging/shop is named twice"),
    ],
)
def test_what_is_for_one_name_is_refused_for_several(
    here: Machine, words: list[str], says: str
) -> None:
    with started(here, *words) as process:
        event = first_event(process)
        assert (event["code"], event["cause"]) == (2, "usage")
        assert says in str(event["message"])


def test_a_misspelt_profile_gets_a_suggestion(here: Machine) -> None:
    with started(here, "-p", "stagin", "shop") as process:
        event = first_event(process)
        assert (event["code"], event["cause"]) == (78, "unknown-profile")
        assert event["remedy"] == "Did you mean 'staging'? There are: production, staging."


def test_a_misspelt_profile_in_the_variable_is_told_as_such(here: Machine) -> None:
    with started(here, "shop", ERLCONNECT_PROFILE="stagin") as process:
        event = first_event(process)
        assert (event["code"], event["cause"]) == (78, "unknown-profile")
        assert event["message"] == ("the variable ERLCONNECT_PROFILE: there is no profile 'stagin'")


def test_a_misspelt_profile_before_the_slash_gets_a_suggestion(here: Machine) -> None:
    with started(here, "stagin/shop") as process:
        event = first_event(process)
        assert (event["code"], event["cause"]) == (2, "usage")
        assert str(event["remedy"]).startswith("Did you mean 'staging'? Name one with `-b`")
