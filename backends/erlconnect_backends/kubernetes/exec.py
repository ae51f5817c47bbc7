"""Runs one command inside a container by a websocket, for the cookie source ``kubernetes-exec``.

``run_inside`` runs it and returns what it wrote. ``ContainerProbe`` has the one script that is run,
and reads what it prints: the flags, variables and cookie files of each Erlang that runs there. The
script changes nothing. It needs ``sh`` and ``cat``, and finds more with ``tr`` and ``sed``.

The first byte of each message is its channel: 1 what the command writes, 2 its errors, 3 how it
ended (constants of ``k8s.io/apimachinery/pkg/util/remotecommand``).
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from erlconnect.api import HttpError
from erlconnect_backends.kubernetes import errors
from erlconnect_backends.kubernetes.access_review import EXEC
from erlconnect_backends.kubernetes.api_client import (
    ApiCall,
    ApiResponse,
    RetryableError,
    decoded,
    error_for_status,
    message_in,
    retry,
)
from erlconnect_backends.kubernetes.websocket import (
    UpgradeRefusedError,
    WebSocketFailedError,
    open_websocket,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from erlconnect_backends.kubernetes.cookies import CookiePod
    from erlconnect_backends.kubernetes.websocket import HandshakeResult, Piece

SECONDS: Final = 15.0
_SUBPROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_OUTPUT, _STATUS = 1, 3
# For each channel: variables and flags are kilobytes, and a container may write anything.
_MAX_BYTES: Final = 8 * 1024 * 1024
_PIECE_BYTES: Final = 64 * 1024
NO_PROCESS: Final = "none"
"""The ``number`` of the findings that belong to no process."""
_SCRIPT: Final = r"""
say() { printf '\n%s %s\n' "$mark" "$*"; }
show() { [ -r "$1$2" ] && [ -s "$1$2" ] && { say file "$2"; cat "$1$2"; }; }
of() { tr '\0' '\n' <"$d/environ" 2>/dev/null | sed -n "s/^$1=//p"; }
mark=$1
for d in /proc/[0-9]*; do
  read -r name 2>/dev/null <"$d/comm" || continue
  case $name in beam*) ;; *) continue ;; esac
  say process "${d#/proc/}"
  say flags; cat "$d/cmdline"
  say variables; cat "$d/environ"
  # Another container's process has files of its own, where those may be seen.
  r=$d/root; [ -r "$r/" ] || r=
  show "$r" "$(of RELEASE_ROOT)/releases/COOKIE" || show "" "$d/cwd/releases/COOKIE"
  show "$r" "$(of HOME)/.erlang.cookie"
done
say process none
for f in "${RELEASE_ROOT:-.}" . /app /opt/*; do show "" "$f/releases/COOKIE" && break; done
show "" "$HOME/.erlang.cookie"
exit 0
"""


async def run_inside(cookie_pod: CookiePod, words: Sequence[str]) -> ExecResult:
    """Run the command ``words``, which must do no harm when it is run twice.

    Raises ``RefusedError``, ``NameNotFoundError``, ``LookupFailedError``, ``LookupTimeoutError``.
    Cancelled, it leaves no connection behind.
    """
    query = [
        ("container", str(cookie_pod.container["name"])),
        ("stdout", "true"),
        ("stderr", "true"),
        *(("command", word) for word in words),
    ]
    parts = ("namespaces", cookie_pod.pod.namespace, "pods", cookie_pod.pod.name, "exec")
    # ``command`` stands once for each word; nothing is passed through a shell.
    target = f"/api/v1/{'/'.join(quote(part, safe='') for part in parts)}?{urlencode(query)}"
    try:
        async with asyncio.timeout(SECONDS):
            # All attempts share one deadline.
            return await retry(lambda: _once(cookie_pod, target))
    except TimeoutError as error:
        raise errors.silence(cookie_pod.rest.access, _purpose(cookie_pod), SECONDS) from error


async def _once(cookie_pod: CookiePod, target: str) -> ExecResult:
    access, what = cookie_pod.rest.access, _purpose(cookie_pod)
    credentials = await access.credentials()
    try:
        handshake = await open_websocket(
            access.endpoint, credentials, target, subprotocols=_SUBPROTOCOLS
        )
        with handshake.wire:
            return await _result(handshake)
    except UpgradeRefusedError as error:
        call = ApiCall(
            what=what,
            namespace=cookie_pod.pod.namespace,
            rights=tuple(sorted(EXEC)),
            needed=cookie_pod.rest.needed,
        )
        answer = ApiResponse(
            status=error.refusal.status,
            said=message_in(error.refusal.body),
            retry_after=error.refusal.retry_after,
        )
        raise await error_for_status(access, credentials, call, answer) from error
    except WebSocketFailedError as error:
        raise errors.no_http(access, what) from error
    except OSError as error:
        raise RetryableError(errors.unreachable(access, what, error)) from error


def _purpose(cookie_pod: CookiePod) -> str:
    return f"a look into {cookie_pod.words}"


async def _result(handshake: HandshakeResult) -> ExecResult:
    """Read until the command has ended. Raises ``WebSocketFailedError`` where that never comes."""
    loop, wire, websocket = asyncio.get_running_loop(), handshake.wire, handshake.websocket
    channels = _Channels()
    channels.take(handshake.early)
    while not channels.status:
        # Without a status, the output may be cut anywhere, and a cookie with it.
        if websocket.over:
            raise WebSocketFailedError("the stream ended before the command did")
        # Replies to pings and to a close frame are sent from here.
        await loop.sock_sendall(wire, websocket.outgoing())
        channels.take(websocket.receive(memoryview(await loop.sock_recv(wire, _PIECE_BYTES))))
    return ExecResult(output=bytes(channels.output), failure=_failure(bytes(channels.status)))


class _Channels:
    """Sorts messages by channel; what the command writes to stderr is not kept."""

    def __init__(self) -> None:
        self.output = bytearray()
        self.status = bytearray()
        self._kept: bytearray | None = None

    def take(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            payload = piece.payload
            # Only the first fragment of a message has the channel's byte.
            if piece.begins and payload:
                self._kept = {_OUTPUT: self.output, _STATUS: self.status}.get(payload[0])
                payload = payload[1:]
            if self._kept is not None:
                self._kept += payload[: _MAX_BYTES - len(self._kept)]


def _failure(status: bytes) -> str:
    """Return the message of a ``Status`` object; empty where that is a success."""
    try:
        return "" if decoded(status).get("status") == "Success" else message_in(status)
    except HttpError:
        return message_in(status)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """What a command wrote; ``failure`` is empty where it exited with 0."""

    output: bytes = field(repr=False)
    failure: str


class ContainerProbe:
    """One look into a container; ``words`` is the command that has to be run for it."""

    def __init__(self) -> None:
        # Each finding begins with this random mark, so that no file can imitate a finding.
        self._mark = secrets.token_hex(16)

    @property
    def words(self) -> Sequence[str]:
        """The command and its arguments."""
        return ("sh", "-c", _SCRIPT.strip(), "look", self._mark)

    def read(self, output: bytes) -> list[ProcessTable]:
        """Return what was found, in the order of the processes; last what belongs to none."""
        seen: list[ProcessTable] = []
        for kind, detail, content in self._findings(output):
            if kind == "process":
                seen.append(ProcessTable(number=detail))
            elif kind == "flags":
                seen[-1].flags = _words(content)
            elif kind == "variables":
                seen[-1].variables = dict(_assignments(content))
            elif kind == "file":
                seen[-1].files[detail] = content
        return seen

    def _findings(self, output: bytes) -> Iterator[tuple[str, str, bytes]]:
        # Nothing before the first mark is a finding of the script.
        for finding in output.split(f"\n{self._mark} ".encode())[1:]:
            line, _, content = finding.partition(b"\n")
            kind, _, detail = line.decode(errors="surrogateescape").partition(" ")
            yield kind, detail, content


@dataclass(slots=True, kw_only=True)
class ProcessTable:
    """What was found of one running Erlang; ``number`` is its process id or ``NO_PROCESS``."""

    number: str
    flags: list[str] = field(default_factory=list, repr=False)
    variables: dict[str, str] = field(default_factory=dict, repr=False)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def is_process(self) -> bool:
        """Whether these findings belong to a process."""
        return self.number != NO_PROCESS


def _words(content: bytes) -> list[str]:
    # Both files of /proc have a NUL behind each word.
    # Values need not be UTF-8: surrogateescape keeps every byte.
    return content.decode(errors="surrogateescape").removesuffix("\0").split("\0")


def _assignments(content: bytes) -> Iterator[tuple[str, str]]:
    for word in _words(content):
        name, _, value = word.partition("=")
        yield name, value
