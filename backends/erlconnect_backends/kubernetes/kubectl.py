"""The other way to a pod's ports, where websockets are refused: ``kubectl port-forward``, a child.

One child for each port, because kubectl ends with all its streams as soon as the pod refuses one.
Refuses to know when this way is taken.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.api import TimedOutError
from erlconnect.net.sockets import connected, ended_within
from erlconnect.net.subprocesses import GuardedChild, guarded_child
from erlconnect_backends.kubernetes import forward_errors as failures
from erlconnect_backends.kubernetes.cluster_access import IN_CLUSTER

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Sequence

    from erlconnect_backends.kubernetes.port_forward import PodEndpoint

_READY_SECONDS: Final = 8.0
_REFUSED_SECONDS: Final = 0.5
_EXIT_SECONDS: Final = 1.0
_EXPLAIN_SECONDS: Final = 0.5
_LISTENS: Final = re.compile(r"127\.0\.0\.1:(\d+) -> ")


def program() -> str | None:
    """Where kubectl is; ``None`` where it is not installed."""
    return shutil.which("kubectl")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forward:
    child: GuardedChild
    local_port: int


class KubectlForward:
    """Dials ports of one pod; use :func:`kubectl_forward`."""

    def __init__(self, place: PodEndpoint, words: Sequence[str], children: AsyncExitStack) -> None:
        self._place = place
        self._words = words
        self._children = children
        self._forwards: dict[int, _Forward] = {}
        self._streams: dict[socket.socket, GuardedChild] = {}
        self._starting = asyncio.Lock()

    async def dial(self, port: int) -> socket.socket:
        """Return a connection to kubectl, which leads on to the pod's port.

        Raises ``UnreachableError`` and ``TimedOutError``. Cancelled, it leaves no socket behind.
        """
        forward = await self._forward(port)
        try:
            stream = await connected("127.0.0.1", forward.local_port)
        except OSError as error:
            raise failures.kubectl_failed(
                self._place, port, await _last_words(forward.child)
            ) from error
        try:
            refused = await ended_within(stream, _REFUSED_SECONDS)
        except BaseException:
            stream.close()
            raise
        if refused:
            stream.close()
            raise failures.closed_port(self._place, port, await _last_words(forward.child))
        self._streams = {one: child for one, child in self._streams.items() if one.fileno() >= 0}
        self._streams[stream] = forward.child
        return stream

    async def why_ended(self, stream: socket.socket) -> str:
        """Say what kubectl said last, where it has ended itself."""
        child = self._streams.get(stream)
        if child is None or not await child.exited_within(_EXPLAIN_SECONDS):
            return ""
        return f"kubectl ended: {child.last_output}"

    async def _forward(self, port: int) -> _Forward:
        async with self._starting:
            forward = self._forwards.get(port)
            if forward is None or forward.child.exited.is_set():
                self._forwards[port] = forward = await self._started(port)
            return forward

    async def _started(self, port: int) -> _Forward:
        child = await self._children.enter_async_context(
            guarded_child([*self._words, f":{port}"], os.environ, ready=f" -> {port}\n".encode())
        )
        await child.ready_or_exited(_READY_SECONDS)
        found = _LISTENS.search(child.last_output)
        if child.exited.is_set():
            raise failures.kubectl_failed(self._place, port, child.last_output)
        if found is None:
            raise TimedOutError(
                f"kubectl port-forward to port {port} of pod {self._place} was not ready after"
                f" {_READY_SECONDS:g} s",
                remedy="Run it by hand to see what it waits for.",
            )
        return _Forward(child=child, local_port=int(found[1]))


async def _last_words(child: GuardedChild) -> str:
    """Return what it said, after a moment in which it may end."""
    await child.exited_within(_EXIT_SECONDS)
    return child.last_output


@asynccontextmanager
async def kubectl_forward(place: PodEndpoint, kubeconfig: str) -> AsyncIterator[KubectlForward]:
    """Return the way; leaving ends every kubectl. ``kubeconfig`` is the one that was named."""
    words = [program() or "kubectl", "port-forward", "--address=127.0.0.1"]
    words += [f"--namespace={place.namespace}"]
    if place.access.context != IN_CLUSTER:
        words += [f"--context={place.access.context}"]
    if kubeconfig:
        words += [f"--kubeconfig={kubeconfig}"]
    async with AsyncExitStack() as children:
        yield KubectlForward(place, [*words, f"pod/{place.pod}"], children)
