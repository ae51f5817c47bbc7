"""Network namespaces, which stand for remote hosts: each an own network, reached over one veth.

Everything in them is real: addresses, IPv6, an epmd on 4369, unreachable networks.
"""

from __future__ import annotations

import functools
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from world.missing import require

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_NAME_START: Final = "erlconnect-"
# As many as 198.18.0.0/24, reserved for tests, has /30 networks; not 0, which the text of an IPv6
# address would leave out.
_NUMBERS: Final = range(1, 64)
_HOSTS: Final = Path("/etc/netns")
_MOUNTS: Final = Path("/run/netns")
_made: set[str] = set()
# The next to try comes first. Whoever replaces a host must not get the address of the old one.
_turns: Final = random.sample(_NUMBERS, len(_NUMBERS))


class Namespace:
    """One remote host; a context manager that removes it with its addresses.

    ``address`` and ``address6`` are its own, ``host_address`` and ``host_address6`` those of the
    tests' side of the wire. ``hosts`` are names for its own /etc/hosts (not seen in a chroot).
    """

    def __init__(self, hosts: Mapping[str, str] | None = None) -> None:
        require("network namespaces", available())
        number, self._link = _free_link()
        self.name = f"{_NAME_START}{number}"
        _made.add(self.name)
        self.host_address, self.address = (f"198.18.0.{4 * number + end}" for end in (1, 2))
        self.host_address6, self.address6 = (f"fd12:34:{number:x}::{end}" for end in (1, 2))
        try:
            self._build(hosts or {})
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    def cut(self) -> None:
        """Take the wire down: nothing arrives any more, and nobody is told."""
        # At its far end: at this one the packets would take the way of all other networks.
        _ip("-n", self.name, "link", "set", f"{self._link}p", "down")

    def mend(self) -> None:
        """Put the wire up again; its far end gets back the address that the kernel took."""
        inner = f"{self._link}p"
        _ip("-n", self.name, "link", "set", inner, "up")
        _ip("-n", self.name, "-6", "addr", "replace", f"{self.address6}/64", "dev", inner, "nodad")

    def remove(self) -> None:
        """Remove the wire and the namespace; what still runs in it has lost its network."""
        _ip("link", "delete", self._link)
        if _exists(self.name):
            _ip("netns", "delete", self.name)
        shutil.rmtree(_HOSTS / self.name, ignore_errors=True)
        _made.remove(self.name)

    def _build(self, hosts: Mapping[str, str]) -> None:
        inner = f"{self._link}p"
        _ip("netns", "add", self.name)
        _ip("link", "set", inner, "netns", self.name)
        _ip("addr", "add", f"{self.host_address}/30", "dev", self._link)
        _ip("-6", "addr", "add", f"{self.host_address6}/64", "dev", self._link, "nodad")
        _ip("link", "set", self._link, "up")
        _ip("-n", self.name, "addr", "add", f"{self.address}/30", "dev", inner)
        _ip("-n", self.name, "-6", "addr", "add", f"{self.address6}/64", "dev", inner, "nodad")
        _ip("-n", self.name, "link", "set", inner, "up")
        _ip("-n", self.name, "link", "set", "lo", "up")
        self._write_hosts(hosts)

    def _write_hosts(self, hosts: Mapping[str, str]) -> None:
        folder = _HOSTS / self.name
        folder.mkdir(parents=True)
        names = {"localhost": "127.0.0.1", **hosts}
        lines = [f"{address} {name}\n" for name, address in names.items()]
        (folder / "hosts").write_text("".join(lines))


@functools.cache
def available() -> bool:
    """Whether this user on this machine can make network namespaces; tried once, for real."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    probe = f"{_NAME_START}probe-{os.getpid()}"
    if not _works(["ip", "netns", "add", probe]):
        return False
    usable = _works([*prefix(probe), "true"])
    _ip("netns", "delete", probe)
    return usable


def prefix(namespace: str) -> list[str]:
    """The words before a command that shall run in ``namespace``; its process id stays its own."""
    return ["ip", "netns", "exec", namespace]


def left_over() -> list[str]:
    """The names of this process's namespaces that were not removed."""
    return sorted(_made)


def _exists(name: str) -> bool:
    return (_MOUNTS / name).exists()


def _free_link() -> tuple[int, str]:
    # The kernel refuses a link name twice, so the link is the lock on its number.
    for number in [*_turns]:
        link = f"erlconnect{number}"
        words = ["ip", "link", "add", link, "type", "veth", "peer", "name", f"{link}p"]
        if _works(words):
            _turns.remove(number)
            _turns.append(number)
            return number, link
    raise AssertionError(f"all {len(_NUMBERS)} network namespaces of the tests are taken")


def _works(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
