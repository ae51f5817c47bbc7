"""Programs in a network of their own: only loopback, own /etc/hosts, own way to look names up."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

from world.missing import require

if TYPE_CHECKING:
    from pathlib import Path

# $1: the folder with the files for /etc, $2: the interpreter, $3: the program
_SCRIPT = """
set -e
for file in hosts nsswitch.conf resolv.conf; do mount --bind "$1/$file" "/etc/$file"; done
ip link set lo up
ip -6 addr add fe80::1/64 dev lo nodad
ip -6 addr add fd12::1/128 dev lo nodad
exec "$2" -c "$3"
"""
_ENTER = ("unshare", "--map-root-user", "--net", "--mount")
# What the programs share: a target, dialling, and saying what came of it.
_PRELUDE = """
import asyncio, json, socket
from erlconnect.api import ErlconnectError, NodeName, Target
from erlconnect_plugins.transports import direct

def listener(address, port=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family)
    sock.bind(socket.getaddrinfo(address, port, family)[0][4])
    sock.listen()
    return sock

async def dial(address, port, **settings):
    target = Target(node=NodeName.parse("app@10.3.2.1"), address=address)
    transport = direct.DirectTransport(direct.DirectSettings(**settings))
    async with transport.open(target) as dialer:
        return await dialer.dial(port)

def answer(*dialled, **settings):
    try:
        with asyncio.run(dial(*dialled, **settings)) as sock:
            print(json.dumps({"peer": sock.getpeername()[:2]}))
    except ErlconnectError as error:
        said = {"cause": error.cause, "message": error.message, "remedy": error.remedy}
        print(json.dumps(said))
"""


@cache
def _possible() -> bool:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run((*_ENTER, "true"), capture_output=True, check=False).returncode == 0


def run_in_own_network(
    folder: Path, program: str, *, hosts: str = "", name_server: str | None = None
) -> str:
    """Run ``program`` after the prelude; names are in ``hosts``, else asked of ``name_server``."""
    require("unprivileged namespaces", _possible())
    (folder / "hosts").write_text(hosts)
    (folder / "nsswitch.conf").write_text(f"hosts: files{' dns' if name_server else ''}\n")
    (folder / "resolv.conf").write_text(
        f"nameserver {name_server}\noptions timeout:30 attempts:1\n" if name_server else ""
    )
    ended = subprocess.run(
        (*_ENTER, "sh", "-c", _SCRIPT, "sh", folder, sys.executable, _PRELUDE + program),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.stderr == ""
    assert ended.returncode == 0
    return ended.stdout
