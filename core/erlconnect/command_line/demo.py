"""``erlconnect demo``: one call through an alias with real programs, all on loopback.

    erl dev@127.0.0.1 -- alias shop@127.0.0.1 -- erlconnect -- erl shop@shop-0.shop.test
                                                     |
                                    knotd: SRV _epmd._tcp.shop.test

Every program has a HOME and an epmd of its own, and ends with the demo.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from erlconnect.errors import ConfigurationError, TimedOutError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_STEP_SECONDS: Final = 20.0
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
# The zone never changes, so knotd keeps no journal and never writes the zone back.
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


def run_demo() -> None:
    """Run the demo; the last line on stdout is what the local node got as its answer."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="erlconnect-demo-")))
        remote_epmd_port = stack.enter_context(_remote_node(folder))
        dns_port = stack.enter_context(_dns_server(folder, remote_epmd_port))
        ready, environment = stack.enter_context(_session(folder, dns_port))
        _show(ready)
        alias = ready["aliases"][0]["alias"]
        local, node, real = _call(alias, environment)
    _print_step(f"demo: {local} called {alias}: node() = {node}, remote name {real}")


@contextmanager
def _remote_node(folder: Path) -> Iterator[int]:
    """Run the remote node with an epmd and a cookie of its own; return the port of its epmd."""
    home = _home_folder(folder, "remote", secrets.token_hex(16))
    port = _free_port()
    environment = _own_environment(home, port)
    with _program(["epmd", "-port", str(port)], environment):
        _wait_for_port(port, "the remote epmd")
        # erl must not start an epmd of its own: the one above is on a port of its own.
        command = ["erl", "-noinput", "-name", _REMOTE, "-start_epmd", "false"]
        with _program(command, environment):
            _print_step(f"remote: erl {_REMOTE}, its own epmd on port {port}, its own cookie")
            yield port


@contextmanager
def _dns_server(folder: Path, epmd_port: int) -> Iterator[int]:
    """Run a DNS server with an SRV record of the node; return its port."""
    port = _free_port()
    (folder / "shop.test.zone").write_text(_ZONE.format(epmd_port=epmd_port))
    configuration = folder / "knot.conf"
    configuration.write_text(_KNOT.format(port=port, folder=folder))
    with _program(["knotd", "-c", str(configuration)], dict(os.environ)):
        _wait_for_port(port, "the DNS server")
        _print_step(
            f"dns:    knotd on port {port}: _epmd._tcp.shop.test SRV {epmd_port} shop-0.shop.test"
        )
        yield port


@contextmanager
def _session(folder: Path, dns_port: int) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Run erlconnect; return its ``ready`` event and the environment of this machine's nodes."""
    home = _home_folder(folder, "local", "")
    environment = _own_environment(home, _free_port())
    cookie = folder / "remote" / ".erlang.cookie"
    arguments = ["-b", "dns", "_epmd._tcp.shop.test", "-o", f"server=127.0.0.1:{dns_port}"]
    _print_step(f"run:    erlconnect {' '.join(arguments)} --cookie-from file:...")
    # The same interpreter, so that the demo shows this very installation.
    command = [sys.executable, "-m", "erlconnect", *arguments, "--json"]
    command += ["--cookie-from", f"file:{cookie}"]
    with _program(command, environment, stdout=subprocess.PIPE) as program:
        assert program.stdout  # noqa: S101 - child opens it
        yield _ready(program.stdout), environment


def _ready(lines: Any) -> dict[str, Any]:
    for line in lines:
        event = json.loads(line)
        if event["event"] == "ready":
            return dict(event)
        _print_step(f"        {event.get('message', event['event'])}")
    raise UnreachableError("erlconnect ended before it was ready", remedy="Its messages are above.")


def _call(alias: str, environment: Mapping[str, str]) -> tuple[str, str, str]:
    """Call the alias from a local node.

    Return the name of the local node, what ``node()`` is in the remote one, and the name that it
    was started with.
    """
    command = ["erl", "-noinput", "-name", _LOCAL, "-start_epmd", "false"]
    _print_step(f"local:  erl -name {_LOCAL}, then erpc:call('{alias}', erlang, node, [])")
    result = subprocess.run(  # noqa: S603 - no shell, fixed words
        [*command, "-eval", _CALL.format(alias=alias)],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_STEP_SECONDS,
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
    _print_step(
        f"ready:  {alias['node']} at {alias['address']}:{alias['dist_port']} is {alias['alias']}, "
        f"registered in the {epmd} on port {ready['epmd']['port']}"
    )


@contextmanager
def _program(
    command: Sequence[str], environment: Mapping[str, str], stdout: int = subprocess.DEVNULL
) -> Iterator[Any]:
    """Run a program for as long as the context lasts; ``ConfigurationError`` if it is missing."""
    program = shutil.which(command[0])
    if program is None:
        raise ConfigurationError(
            f"the demo needs {command[0]}, and it is not on PATH",
            remedy="Install Erlang and Knot DNS; in a checkout `./run demo` does it.",
        )
    child = subprocess.Popen(  # noqa: S603 - no shell, fixed words
        [program, *command[1:]],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with child:
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(_STEP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()


def _home_folder(folder: Path, name: str, cookie: str) -> Path:
    """Make a HOME of its own; with a cookie file, if there is a cookie."""
    home = folder / name
    home.mkdir()
    if cookie:
        file = home / ".erlang.cookie"
        file.touch(mode=0o600)
        file.write_text(cookie)
        file.chmod(0o400)
    return home


def _own_environment(home: Path, epmd_port: int) -> dict[str, str]:
    """Return this process's variables without those of erlconnect, with another HOME and epmd."""
    # Settings of the user would change what the demo does.
    own = {name: value for name, value in os.environ.items() if not name.startswith("ERLCONNECT_")}
    return {**own, "HOME": str(home), "ERL_EPMD_PORT": str(epmd_port)}


def _free_port() -> int:
    """Return a port of 127.0.0.1 that is free at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        # Another process may take it before the demo does; the demo then fails and can be repeated.
        return int(probe.getsockname()[1])


def _wait_for_port(port: int, what: str) -> None:
    """Wait until ``port`` accepts connections; ``TimedOutError`` names ``what``."""
    deadline = time.monotonic() + _STEP_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimedOutError(f"{what} did not listen after {_STEP_SECONDS:g} s", remedy="Try again.")


def _print_step(text: str) -> None:
    """Print a line of the demo's result."""
    print(text, flush=True)  # noqa: T201 - the demo's result
