"""A real name server whose records lead to a real node, and to what is none."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from end_to_end.machine import FROM_VARIABLE
from plugins.transports.sockets import silent
from world.connected import REMOTE_COOKIE
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.knot import KnotServer
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.session import ErlconnectSession

# shop-0 is the node's host; shop-9 has an address behind which nobody is.
ZONE = """
shop-0                 A    127.0.0.1
shop-9                 A    127.0.0.1
_epmd._tcp.shop        SRV  0 0 {epmd} shop-0
_dist._tcp.shop        SRV  0 0 {dist} shop-0
shop                   SRV  0 0 {dist} shop-0
plain                  A    127.0.0.1
web                    SRV  0 0 {web}  shop-0
zero                   SRV  0 0 0      shop-0
_dist._tcp.two         SRV  0 0 {dead} shop-9
_dist._tcp.two         SRV  1 0 {dist} shop-0
_dist._tcp.dead        SRV  0 0 {dead} shop-9
_dist._tcp.dead        SRV  1 0 {web}  shop-0
empty                  TXT  "no pod is ready"
"""
NAME = "app@shop-0.shop.test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A name server that knows one real node, and a web server and a dead port beside it."""

    dns_port: int
    epmd_port: int
    dist_port: int
    dead_port: int

    def session(self, here: Machine, service: str, *words: str, **more: str) -> ErlconnectSession:
        """Run a session that looks here; ``more`` are variables of its environment."""
        server = f"server=127.0.0.1:{self.dns_port}"
        return here.session(
            "-b", "dns", service, "-o", server, *FROM_VARIABLE, *words, environment=more
        )


@contextmanager
def real_directory() -> Iterator[Directory]:
    with (
        RealEpmd(free_port()) as epmd,
        ErlangNode.start(NAME, epmd_port=epmd.port, cookie=REMOTE_COOKIE) as node,
        web_server() as web,
        silent("127.0.0.1") as (_, dead),
    ):
        zone = ZONE.format(epmd=epmd.port, dist=node.dist_port, web=web, dead=dead)
        with KnotServer({"shop.test": zone, "broken.test": None}) as knot:
            yield Directory(
                dns_port=knot.port,
                epmd_port=epmd.port,
                dist_port=node.dist_port,
                dead_port=dead,
            )


@contextmanager
def web_server() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", free_port()), QuietHandler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


class QuietHandler(BaseHTTPRequestHandler):
    timeout = 10

    def log_message(self, *_: object) -> None:
        pass
