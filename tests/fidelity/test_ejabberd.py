"""ejabberd's own tool says through a session what it says on the server's own machine."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fidelity.both_ways import both_ways, registered_during
from world.connected import REMOTE_COOKIE
from world.epmd import RealEpmd
from world.erlang_servers import Inside
from world.ports import free_port
from world.processes import Process

from erlconnect.api import is_helper
from erlconnect.session.discovery import choose_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fidelity.both_ways import BothWays

HOST = "chat-0.shop.test"
NODE = f"ejabberd@{HOST}"
START_SECONDS = 60
CONFIGURATION = "hosts: [localhost]\nlisten: []\nloglevel: info\n"
# Debian runs it as a user of its own, whose home holds the cookie.
enter = partial(Inside, home="/var/lib/ejabberd", fresh=["/var/log/ejabberd"], owner="111:111")
TOOL = ["ejabberdctl", "--ctl-config", "/mnt/none"]


@pytest.fixture(scope="module")
def ways() -> Iterator[BothWays]:
    with tempfile.TemporaryDirectory() as name, RealEpmd(free_port()) as epmd:
        folder = Path(name)
        (folder / "ejabberd.yml").write_text(CONFIGURATION)
        inside = enter(
            folder=folder,
            cookie=REMOTE_COOKIE,
            hosts=[HOST],
            environment={"ERL_EPMD_PORT": str(epmd.port)},
        )
        words = [*TOOL, "--config", "/mnt/ejabberd.yml", "--node", NODE, "foreground"]
        with Process(inside.command(*words)) as server:
            server.wait_for_line("is started in the node", START_SECONDS)
            with both_ways(enter, NODE, folder=folder, epmd_port=epmd.port) as both:
                for way in ("direct", "through"):
                    (folder / way / "ejabberd.yml").write_text(CONFIGURATION)
                done = both.through.inside.run(
                    *asked(both.through.node, "register juliet localhost secret")
                )
                assert done.returncode == 0, done.stdout
                yield both


def asked(node: str, command: str) -> list[str]:
    return [*TOOL, "--config", "/mnt/ejabberd.yml", "--node", node, *command.split()]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("get_loglevel", 0),
        ("registered_vhosts", 0),
        ("list_cluster", 0),
        ("connected_users_number", 0),
        ("mnesia_info", 0),
        ("registered_users localhost", 0),
        ("status", 0),
        ("no_such_command", 1),
    ],
)
def test_ejabberdctl_says_the_same(ways: BothWays, command: str, code: int) -> None:
    assert ways.compare(partial(asked, command=command)) == code


def test_the_node_of_a_tool_that_runs_is_no_choice(ways: BothWays) -> None:
    seen = registered_during(ways.direct, asked(NODE, "status"))
    assert [name for name in seen if not is_helper(name)] == ["ejabberd"]
    assert any("-ctl-ejabberd" in name for name in seen)
    ports = dict.fromkeys(seen, 1)
    assert choose_name(ports, wanted=None, expected="", where="here") == "ejabberd"
