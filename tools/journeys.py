"""What one has to open to follow one thing through the code, counted by a profile hook.

A journey is a stretch of one run: of a whole session in this process, between a real local node, a
real remote one and a real name server, or of one direction of a link that is fed by hand. Counted
are the distinct source files whose functions are called in it, and how often a function is called
that stands in another file than the one that was called before in the same thread. What a module
runs while it is imported does not count.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from source_tree import PROJECT, ROOTS

sys.path.insert(0, str(PROJECT / "tests"))

from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.knot import KnotServer
from world.ports import free_port

from erlconnect.distribution.name_mapping import CompiledMapping
from erlconnect.distribution.rewriter import Rewriter
from erlconnect.proxy.relay import Pump

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

_HERE: Final = tuple(f"{PROJECT / root}{os.sep}" for root in ROOTS)
_BACKENDS: Final = f"{PROJECT / 'backends'}{os.sep}"
_COOKIE: Final = "cookie-of-the-remote-node"
_LOCAL_COOKIE: Final = "cookie-of-this-machine"
_NODE: Final = "app@shop-0.shop.test"
_ALIAS: Final = "app@127.0.0.1"
_CONTROL: Final = b"h\4a\6Xw\4node\0\0\0\1\0\0\0\2\0\0\0\3w\0w\3rex"
# As long as the fragments of OTP.
_FRAGMENT: Final = 65_536
_SECONDS: Final = 30
_QUIET_SECONDS: Final = 0.3


@dataclass(frozen=True)
class Journey:
    """The numbers of one stretch."""

    title: str
    files: tuple[str, ...]
    changes: int


class Profile:
    """Listens to calls and returns of every thread while it is installed."""

    def __init__(self) -> None:
        self.entered: Callable[[CodeType], None] = lambda _: None
        """Is told the code of each function of the project that is called."""
        self._on = False
        self._files: dict[str, None] = {}
        self._changes = 0
        self._last: dict[int, str] = {}
        self._last_call = time.monotonic()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Profile this thread and those that are started meanwhile."""
        threading.setprofile(self._event)
        sys.setprofile(self._event)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def start(self) -> None:
        """Count from now on, from nothing."""
        self._files, self._changes, self._last = {}, 0, {}
        self._on = True

    def wait_for_quiet(self) -> None:
        """Return when nothing of the project has been called for a while."""
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() - self._last_call < _QUIET_SECONDS:
            if time.monotonic() > deadline:
                raise TimeoutError("the session does not come to rest")
            time.sleep(_QUIET_SECONDS / 10)

    def stop(self, title: str) -> Journey:
        """Count no more; return what was counted."""
        self._on = False
        return Journey(title, tuple(self._files), self._changes)

    def _event(self, frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(_HERE) or _is_import(frame):
            return
        self._last_call = time.monotonic()
        self.entered(code)
        if self._on:
            self._count(code.co_filename)

    def _count(self, file: str) -> None:
        thread = threading.get_ident()
        self._files[file] = None
        self._changes += file != self._last.setdefault(thread, file)
        self._last[thread] = file


def _is_import(frame: FrameType | None) -> bool:
    """Return whether a module of the project is being imported, here or in a frame that waits."""
    while frame:
        code = frame.f_code
        if code.co_name == "<module>" and code.co_filename.startswith(_HERE):
            return True
        frame = frame.f_back
    return False


class _Events(io.TextIOWrapper):
    """A stdout that goes nowhere, and tells the name of each JSON event as it is written."""

    def __init__(self, told: Callable[[str], None]) -> None:
        super().__init__(open(os.devnull, "wb"), "utf-8")  # noqa: PTH123, SIM115 - its own to close
        self._told = told

    def write(self, text: str) -> int:
        written = super().write(text)
        for line in filter(None, text.splitlines()):
            self._told(json.loads(line)["event"])
        return written


class Session:
    """A session of this process's own, watched from the command line to the last link's end."""

    def __init__(self) -> None:
        self.journeys: list[Journey] = []
        self._profile = Profile()
        self._runs = True
        self._happened = {name: threading.Event() for name in ("ready", "link-up", "link-down")}

    def run(self, words: list[str], local: ErlangNode) -> list[Journey]:
        """Run the command with ``words``; let ``local`` dial the alias and go."""
        [command] = entry_points(group="console_scripts", name="erlconnect")
        main = command.load()
        self._profile.entered = self._entered
        # Not profiled: it starts before that.
        driver = threading.Thread(target=self._drive, args=(local,))
        driver.start()
        with (
            patch.object(sys, "argv", ["erlconnect", *words]),
            redirect_stdout(_Events(self._told)),
            self._profile.installed(),
        ):
            self._profile.start()
            with contextlib.suppress(SystemExit):
                main()
            self._runs = False
        driver.join()
        return self.journeys

    def _drive(self, local: ErlangNode) -> None:
        try:
            self._wait("ready")
            self._profile.wait_for_quiet()
            self._profile.start()
            answer = local.evaluate(f"net_adm:ping('{_ALIAS}').")
            if answer != "pong":
                raise RuntimeError(f"the remote node does not answer: {answer}")
            self._wait("link-up")
            self._profile.wait_for_quiet()
            self._profile.start()
            local.stop()
            self._wait("link-down")
        finally:
            if self._runs:
                os.kill(os.getpid(), signal.SIGTERM)

    def _wait(self, event: str) -> None:
        deadline = time.monotonic() + _SECONDS
        while not self._happened[event].wait(0.1):
            if time.monotonic() > deadline or not self._runs:
                raise TimeoutError(f"the session did not tell {event}")

    def _entered(self, code: CodeType) -> None:
        """Learn that a function is called: a backend's, when it is asked for the first time."""
        if code.co_name == "discover" and code.co_filename.startswith(_BACKENDS):
            self._profile.entered = lambda _: None
            self._end("`-o server=` from the command line to the backend")
            self._profile.start()

    def _told(self, event: str) -> None:
        titles = {
            "ready": "discovery -> `ready`",
            "link-up": "accept -> both handshakes -> pumps running",
            "link-down": "local node closes -> `link-down` told",
        }
        if event in titles:
            self._end(titles[event])
            self._happened[event].set()

    def _end(self, title: str) -> None:
        self.journeys.append(self._profile.stop(title))


def session_journeys() -> list[Journey]:
    """Measure one session by DNS, between two real nodes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        stack.enter_context(RealEpmd(port))
        epmd = stack.enter_context(RealEpmd(free_port()))
        stack.enter_context(ErlangNode.start(_NODE, epmd_port=epmd.port, cookie=_COOKIE))
        zone = f"shop-0 A 127.0.0.1\n_epmd._tcp.shop SRV 0 0 {epmd.port} shop-0"
        server = stack.enter_context(KnotServer({"shop.test": zone}))
        local = stack.enter_context(
            ErlangNode.start("dev@127.0.0.1", epmd_port=port, cookie=_LOCAL_COOKIE)
        )
        stack.enter_context(patch.dict(os.environ, _environment(folder, port)))
        return Session().run(
            [
                *(
                    "-b",
                    "dns",
                    "_epmd._tcp.shop.shop.test",
                    "-o",
                    f"server=127.0.0.1:{server.port}",
                ),
                *("--cookie-from", "env:REMOTE_COOKIE", "--json"),
            ],
            local,
        )


def _environment(folder: Path, epmd_port: int) -> dict[str, str]:
    file = folder / ".erlang.cookie"
    file.write_text(_LOCAL_COOKIE)
    file.chmod(0o400)
    here = dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "TMPDIR"), str(folder))
    return {**here, "ERL_EPMD_PORT": str(epmd_port), "REMOTE_COOKIE": _COOKIE}


def _atom(name: str) -> bytes:
    return b"w" + bytes([len(name)]) + name.encode()


def _frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def frame_journeys() -> list[Journey]:
    """Measure what one direction of a link does with a frame, and with a message in fragments."""
    frame = _frame(b"\x83D\0" + _CONTROL + b"m" + struct.pack(">I", 2048) + bytes(2048))
    payload = b"h\2m" + struct.pack(">I", 70_000) + bytes(70_000) + _atom(_ALIAS)
    first = b"\x83E" + struct.pack(">QQ", 7, 2) + b"\0" + _CONTROL + payload[:_FRAGMENT]
    last = b"\x83F" + struct.pack(">QQ", 7, 1) + payload[_FRAGMENT:]
    return [_pumped(frame), _fed([_frame(first), _frame(last)])]


def _pumped(frame: bytes) -> Journey:
    profile = Profile()
    with ExitStack() as stack:
        ours, source, sink, theirs = [
            stack.enter_context(end) for _ in range(2) for end in socket.socketpair()
        ]
        pump = Pump("local", source=source, sink=sink, rewriter=_rewriter(), on_end=lambda _: None)
        with profile.installed():
            profile.start()
            pump.start()
            ours.sendall(frame)
            theirs.recv(len(frame), socket.MSG_WAITALL)
            profile.wait_for_quiet()
            journey = profile.stop("one frame without a name")
        ours.close()
        pump.join()
    return journey


def _fed(frames: list[bytes]) -> Journey:
    rewriter = _rewriter()
    profile = Profile()
    with profile.installed():
        profile.start()
        for frame in frames:
            rewriter.process(bytearray(frame), 0, len(frame))
        return profile.stop("one message in two fragments, alias behind a large binary")


def _rewriter() -> Rewriter:
    return Rewriter(CompiledMapping({_ALIAS: _NODE, _NODE: _ALIAS}))


def all_journeys() -> list[Journey]:
    """Measure all of them."""
    return [*session_journeys(), *frame_journeys()]
