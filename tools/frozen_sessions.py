"""What the command says in whole runs with real peers, to programs and to people."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from settled import Settled
from source_tree import PROJECT

sys.path.insert(0, str(PROJECT / "tests"))

from world.consul import ConsulAgent
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.knot import KnotServer
from world.ports import free_port
from world.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND: Final = Path(sys.executable).with_name("erlconnect")
_COOKIE: Final = "cookie-of-the-remote-node"
_LOCAL_COOKIE: Final = "cookie-of-this-machine"
_NODE: Final = "app@shop-0.shop.test"
_ALIAS: Final = "app@127.0.0.1"
_SECONDS: Final = 40
_SOURCE: Final = ("--cookie-from", "env:REMOTE_COOKIE")
_WRONG: Final = ("--cookie-from", "env:WRONG_COOKIE")
_ZONE: Final = """
shop-0            A    127.0.0.1
_epmd._tcp.shop   SRV  0 0 {epmd} shop-0
_dist._tcp.shop   SRV  0 0 {dist} shop-0
_dist._tcp.dead   SRV  0 0 {dead} shop-0
empty             TXT  "no pod is ready"
"""
_CONFIGURATION: Final = """
default-profile = "staging"

[profiles.base]
backend = "dns"
cookie = {{ from = "env", name = "REMOTE_COOKIE" }}
dns = {{ server = "127.0.0.1:{dns}" }}

[profiles.staging]
inherits = "base"
max-frame = 2097152

[profiles.staging.services.shop]
target = "_epmd._tcp.shop.shop.test"

[profiles.production]
backend = "consul"
confirm = true
cookie = {{ from = "consul-kv", key = "erlang/cookie" }}
consul = {{ address = "http://127.0.0.1:{consul}", datacenter = "dc1" }}
"""


class Places:
    """Real peers, a user's home, and a folder that takes what commands say."""

    def __init__(self, stack: ExitStack, out: Path) -> None:
        self._out = out
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="frozen")))
        self.epmd_port, self.dead = free_port(), free_port()
        stack.enter_context(RealEpmd(self.epmd_port))
        self.remote_epmd = stack.enter_context(RealEpmd(free_port())).port
        node = ErlangNode.start(_NODE, epmd_port=self.remote_epmd, cookie=_COOKIE)
        self.dist = stack.enter_context(node).dist_port
        zone = _ZONE.format(epmd=self.remote_epmd, dist=self.dist, dead=self.dead)
        self.dns = stack.enter_context(KnotServer({"shop.test": zone, "broken.test": None})).port
        self._consul = stack.enter_context(ConsulAgent())
        self.consul = self._consul.http_port
        self._fill_catalogue()
        self._fill_home()
        self._settled = Settled(self._known())

    @property
    def fixed(self) -> list[str]:
        """The words that lead to the node by its port."""
        return ["-b", "fixed", _NODE, *("-o", "address=127.0.0.1", "-o", f"dist-port={self.dist}")]

    def by_dns(self, name: str) -> list[str]:
        """Return the words that look ``name`` up."""
        return ["-b", "dns", name, "-o", f"server=127.0.0.1:{self.dns}"]

    def by_consul(self, name: str) -> list[str]:
        """Return the words that look ``name`` up in the catalogue."""
        return ["-b", "consul", name, "-o", f"address=http://127.0.0.1:{self.consul}"]

    def environment(self) -> dict[str, str]:
        """Return the variables that commands find beside the usual ones."""
        home = str(self._folder)
        return {
            **dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "TMPDIR"), home),
            "ERL_EPMD_PORT": str(self.epmd_port),
            "REMOTE_COOKIE": _COOKIE,
            "WRONG_COOKIE": "wrong-cookie",
            "COLUMNS": "120",
            "NO_COLOR": "1",
        }

    @contextmanager
    def running(self, name: str, *words: str) -> Iterator[Process]:
        """Run the command, and keep what it said when it has ended."""
        command = Process([COMMAND, *words], environment=self.environment(), directory=self._folder)
        with command as process:
            yield process
            code = _exit_code(process)
            line = self._settled.text(" ".join(words))
            parts = [f"$ erlconnect {line}", f"exit code {code}"]
            for stream in ("stdout", "stderr"):
                parts += [f"--- {stream}", self._settled.output(getattr(process, stream))]
            (self._out / f"{name}.txt").write_text("\n".join(parts))

    def run(self, name: str, *words: str) -> None:
        """Run the command to its end."""
        with self.running(name, *words):
            pass

    def both(self, name: str, *words: str) -> None:
        """Run the command for people and for programs."""
        self.run(f"{name}-people", *words)
        self.run(f"{name}-json", *words, "--json")

    def linked(self, name: str, *words: str, ready: str, up: str, down: str) -> None:
        """Run a session that a local node joins and leaves; what is told of each is waited for."""
        with self.running(name, *words) as process:
            process.wait_for_line(ready, _SECONDS)
            with ErlangNode.start(
                "dev@127.0.0.1", epmd_port=self.epmd_port, cookie=_LOCAL_COOKIE
            ) as local:
                local.evaluate(f"pong = net_adm:ping('{_ALIAS}').")
                process.wait_for_line(up, _SECONDS)
                self.both(f"{name}-status", "status")
            process.wait_for_line(down, _SECONDS)
            process.signal(signal.SIGINT)

    def refused(self, name: str, *words: str) -> None:
        """Run a session whose remote node refuses the local one; wait until that is told."""
        with self.running(name, *words) as process:
            process.wait_for_line("ready" if "--json" in words else "erl_call", _SECONDS)
            with ErlangNode.start(
                "dev@127.0.0.1", epmd_port=self.epmd_port, cookie=_LOCAL_COOKIE
            ) as local:
                local.evaluate(f"pang = net_adm:ping('{_ALIAS}').")
                process.wait_for_line(_is_error, _SECONDS)
            process.signal(signal.SIGINT)

    def write_configuration(self, text: str) -> None:
        """Put the user's configuration file where it belongs."""
        file = self._folder / ".config" / "erlconnect" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def configuration(self) -> str:
        """Return a configuration file with profiles for the peers here."""
        return _CONFIGURATION.format(dns=self.dns, consul=self.consul)

    def _fill_catalogue(self) -> None:
        service = {"Name": "shop", "ID": "shop-1", "Address": "127.0.0.1", "Port": self.dist}
        self._consul.register({**service, "Tags": ["blue"], "Meta": {"zone": "a"}})
        self._consul.request("PUT", "/kv/erlang/cookie", _COOKIE.encode())

    def _fill_home(self) -> None:
        file = self._folder / ".erlang.cookie"
        file.write_text(_LOCAL_COOKIE)
        file.chmod(0o400)

    def _known(self) -> dict[str, str]:
        ports = {
            "EPMD": self.epmd_port,
            "REMOTE-EPMD": self.remote_epmd,
            "DIST": self.dist,
            "DEAD": self.dead,
            "DNS": self.dns,
            "CONSUL": self.consul,
        }
        folders = {str(self._folder): "HOME", str(COMMAND.parent): "BIN", str(PROJECT): "PROJECT"}
        return {**folders, **{str(port): name for name, port in ports.items()}}


def _exit_code(process: Process) -> str:
    try:
        return str(process.wait(_SECONDS))
    except AssertionError:
        return f"none: it still ran after {_SECONDS} seconds"


def _is_error(line: str) -> bool:
    return '"event": "error"' in line or "could not reach" in line


def freeze_sessions(out: Path) -> None:
    """Write what the command says in every run to ``out``, one file a run."""
    for variable in [name for name in os.environ if name.startswith(("XDG_", "ERLCONNECT_"))]:
        del os.environ[variable]
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        places = Places(stack, out)
        _sessions(places)
        _looks(places)
        _errors(places)
        _profiles(places)


def _sessions(places: Places) -> None:
    ways = {
        "fixed": [*places.fixed, *_SOURCE],
        "dns-epmd": [*places.by_dns("_epmd._tcp.shop.shop.test"), *_SOURCE],
        "dns-dist": [*places.by_dns("_dist._tcp.shop.shop.test"), *_SOURCE],
        "consul": [*places.by_consul("shop"), "-o", "cookie-key=erlang/cookie"],
    }
    for name, words in ways.items():
        events = {"ready": '"ready"', "up": '"link-up"', "down": '"link-down"'}
        told = {"ready": "erl_call", "up": "is connected to", "down": " left "}
        places.linked(f"session-{name}-json", *words, "--json", **events)
        places.linked(f"session-{name}-people", *words, **told)
        places.both(f"plan-{name}", *words, "--dry-run")
    places.refused("session-wrong-cookie-json", *places.fixed, *_WRONG, "--json")
    places.refused("session-wrong-cookie-people", *places.fixed, *_WRONG)


def _looks(places: Places) -> None:
    for name, words in {
        "fixed": places.fixed,
        "dns": places.by_dns("_epmd._tcp.shop.shop.test"),
    }.items():
        places.both(f"ping-{name}", "ping", *words, *_SOURCE)
        places.both(f"ping-{name}-wrong-cookie", "ping", *words, *_WRONG)
        places.both(f"targets-{name}", "targets", *words)
        places.both(f"doctor-{name}", "doctor", *words, *_SOURCE)
        places.both(f"doctor-{name}-wrong-cookie", "doctor", *words, *_WRONG)
    places.both("targets-consul", "targets", *places.by_consul("shop"))
    places.both("doctor-without-a-target", "doctor")
    places.both("status-of-none", "status")
    places.both("plugins", "plugins")
    places.run("version", "--version")
    words = ["run", *places.fixed, *_SOURCE, "--", "sh", "-c"]
    places.run("run", *words, "echo $ERLCONNECT_NODE is $ERLCONNECT_ALIAS; exit 3")


def _errors(places: Places) -> None:
    dead, dns = str(places.dead), places.by_dns
    cases = {
        "nxdomain": [*dns("_epmd._tcp.shoop.shop.test"), *_SOURCE],
        "no-usable-record": [*dns("empty.shop.test"), *_SOURCE],
        "servfail": [*dns("shop.broken.test"), *_SOURCE],
        "refused-zone": [*dns("shop.elsewhere.test"), *_SOURCE],
        "closed-port-by-dns": [*dns("_dist._tcp.dead.shop.test"), *_SOURCE],
        "name-server-away": ["-b", "dns", "x.test", "-o", f"server=127.0.0.1:{dead}", *_SOURCE],
        "closed-port": ["-b", "fixed", _ALIAS, "-o", f"dist-port={dead}", *_SOURCE],
        "closed-epmd": ["-b", "fixed", _ALIAS, "-o", f"epmd-port={dead}", *_SOURCE],
        "no-such-host": ["-b", "fixed", "app@no-such-host.invalid", *_SOURCE],
        "not-distribution": ["-b", "fixed", _ALIAS, "-o", f"dist-port={places.consul}", *_SOURCE],
        "consul-no-such-service": [*places.by_consul("shoop"), *_SOURCE],
        "consul-no-such-key": [*places.by_consul("shop"), "-o", "cookie-key=no/such"],
        "consul-away": ["-b", "consul", "x", "-o", f"address=http://127.0.0.1:{dead}", *_SOURCE],
        "no-such-variable": [*places.fixed, "--cookie-from", "env:NO_SUCH_VARIABLE"],
        "no-such-cookie-file": [*places.fixed, "--cookie-from", "file:no-such-file"],
        "misspelt-backend": ["-b", "fixd", _NODE],
        "misspelt-cookie-source": [*places.fixed, "--cookie-from", "evn:X"],
        "misspelt-transport": [*places.fixed, "--transport", "dierct", *_SOURCE],
        "misspelt-setting": [*dns("x.test"), "-o", "sever=127.0.0.1", *_SOURCE],
        "misspelt-profile": ["-p", "stagign", "shop"],
        "misspelt-option": ["--bakend", "fixed", _NODE],
        "wrong-value": ["-b", "fixed", _NODE, "-o", "dist-port=many", *_SOURCE],
        "no-backend": ["shop"],
        "no-target": ["connect"],
        "not-a-node-name": ["-b", "fixed", "app@", *_SOURCE],
    }
    for name, words in cases.items():
        places.both(f"error-{name}", *words)


def _profiles(places: Places) -> None:
    good = places.configuration()
    places.write_configuration(good)
    places.both("profiles", "profiles")
    places.both("profiles-list", "profiles", "list")
    for profile in ("staging/shop", "production/shop", "base", "stagign"):
        name = profile.replace("/", "-")
        places.both(f"profiles-show-{name}", "profiles", "show", profile)
        places.both(f"profiles-explain-{name}", "profiles", "explain", profile)
    places.both("profiles-check", "profiles", "check")
    places.both("plan-by-profile", "staging/shop", "--dry-run")
    places.both("plan-without-an-answer", "production/shop", "--no-input", "--dry-run")
    places.both("error-without-an-answer", "production/shop", "--no-input")
    places.both("error-misspelt-profile-of-some", "-p", "stagign", "shop")
    places.write_configuration(good.replace("datacenter", "datacentre").replace("max-f", "maks-f"))
    places.both("profiles-check-misspelt", "profiles", "check")
    places.both("error-misspelt-key", "-p", "staging", "shop", "--dry-run")
    places.write_configuration(good + "[profiles")
    places.both("profiles-check-no-toml", "profiles", "check")
    places.run("profiles-schema", "profiles", "schema")
