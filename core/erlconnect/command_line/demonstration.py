"""The parts of ``erlconnect demo``: all real, all on loopback, all gone afterwards.

erl dev@127.0.0.1 -- alias shop@127.0.0.1 -- erlconnect -- erl shop@shop-0.shop.test
|
knotd: SRV _epmd._tcp.shop.test
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from erlconnect.command_line.demonstration_programs import (
    SECONDS,
    child,
    free_port,
    home_folder,
    own_environment,
    say,
    wait_for_port,
)
from erlconnect.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REMOTE: Final = "shop@shop-0.shop.test"
_LOCAL: Final = "dev@127.0.0.1"
_ZONE: Final = """\
$ORIGIN shop.test.
$TTL 5
@ SOA ns.shop.test. admin.shop.test. 1 60 60 60 5
@ NS ns.shop.test.
ns A 127.0.0.1
_epmd._tcp SRV 0 0 {epmd_port} shop-0
shop-0 A 127.0.0.1
"""
_KNOT: Final = """\
server:
    listen: 127.0.0.1@{port}
    rundir: {folder}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {folder}/database
zone:
  - domain: shop.test.
    file: {folder}/shop.test.zone
    zonefile-sync: -1
    journal-content: none
"""
_CALL: Final = """
Alias = '{alias}',
true = net_kernel:connect_node(Alias),
Node = erpc:call(Alias, erlang, node, []),
{{ok, [[Real]]}} = erpc:call(Alias, init, get_argument, [name]),
io:format("~s ~s ~s~n", [node(), Node, Real]),
halt().
"""


def demonstrate() -> None:
    """Do it; the last line on stdout is what the local node really got back."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="erlconnect-demo-")))
        remote_epmd_port = stack.enter_context(_remote_node(folder))
        dns_port = stack.enter_context(_dns_server(folder, remote_epmd_port))
        ready, environment = stack.enter_context(_session(folder, dns_port))
        _show(ready)
        alias = ready["aliases"][0]["alias"]
        local, node, real = _call(alias, environment)
    say(f"demo: {local} called {alias}: node() = {node}, remote name {real}")


@contextmanager
def _remote_node(folder: Path) -> Iterator[int]:
    """Run the remote node with an epmd and a cookie of its own; give the port of its epmd."""
    home = home_folder(folder, "remote", secrets.token_hex(16))
    port = free_port()
    environment = own_environment(home, port)
    with child(["epmd", "-port", str(port)], environment):
        wait_for_port(port, "the remote epmd")
        command = ["erl", "-noinput", "-name", _REMOTE, "-start_epmd", "false"]
        with child(command, environment):
            say(f"remote: erl {_REMOTE}, its own epmd on port {port}, its own cookie")
            yield port


@contextmanager
def _dns_server(folder: Path, epmd_port: int) -> Iterator[int]:
    """Run a real DNS server that knows the node; give its port."""
    port = free_port()
    (folder / "shop.test.zone").write_text(_ZONE.format(epmd_port=epmd_port))
    configuration = folder / "knot.conf"
    configuration.write_text(_KNOT.format(port=port, folder=folder))
    with child(["knotd", "-c", str(configuration)], dict(os.environ)):
        wait_for_port(port, "the DNS server")
        say(f"dns:    knotd on port {port}: _epmd._tcp.shop.test SRV {epmd_port} shop-0.shop.test")
        yield port


@contextmanager
def _session(folder: Path, dns_port: int) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Run erlconnect; give its ``ready`` event and the environment of this machine's nodes."""
    home = home_folder(folder, "local", "")
    environment = own_environment(home, free_port())
    cookie = folder / "remote" / ".erlang.cookie"
    arguments = ["-b", "dns", "_epmd._tcp.shop.test", "-o", f"server=127.0.0.1:{dns_port}"]
    say(f"run:    erlconnect {' '.join(arguments)} --cookie-from file:...")
    command = [sys.executable, "-m", "erlconnect", *arguments, "--json"]
    command += ["--cookie-from", f"file:{cookie}"]
    with child(command, environment, stdout=subprocess.PIPE) as program:
        assert program.stdout  # noqa: S101 - child opens it
        yield _ready(program.stdout), environment


def _ready(lines: Any) -> dict[str, Any]:
    for line in lines:
        event = json.loads(line)
        if event["event"] == "ready":
            return dict(event)
        say(f"        {event.get('message', event['event'])}")
    raise UnreachableError("erlconnect ended before it was ready", remedy="Its messages are above.")


def _call(alias: str, environment: Mapping[str, str]) -> tuple[str, str, str]:
    """Let a real local node call the alias: its own name, node() there, the name given there."""
    command = ["erl", "-noinput", "-name", _LOCAL, "-start_epmd", "false"]
    say(f"local:  erl -name {_LOCAL}, then erpc:call('{alias}', erlang, node, [])")
    result = subprocess.run(  # noqa: S603 - no shell, fixed words
        [*command, "-eval", _CALL.format(alias=alias)],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    words = result.stdout.split()
    if result.returncode or len(words) != 3:  # noqa: PLR2004 - as _CALL prints
        raise UnreachableError(
            f"the call failed: {result.stdout}{result.stderr}",
            remedy="Run `erlconnect demo` again; if it stays so, report it with this text.",
        )
    return words[0], words[1], words[2]


def _show(ready: Mapping[str, Any]) -> None:
    alias = ready["aliases"][0]
    epmd = "embedded epmd" if ready["epmd"]["embedded"] else "epmd"
    say(
        f"ready:  {alias['node']} at {alias['address']}:{alias['dist_port']} is {alias['alias']}, "
        f"registered in the {epmd} on port {ready['epmd']['port']}"
    )
