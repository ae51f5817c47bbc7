"""Streams to a pod's ports through ``kubectl port-forward``, where websockets are refused.

``port_forward`` decides when. There is one child for each port, because kubectl ends with all its
streams as soon as the pod refuses one.
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
# kubectl chooses the local port and prints it: "Forwarding from 127.0.0.1:40123 -> 4369".
_LISTENS: Final = re.compile(r"127\.0\.0\.1:(\d+) -> ")


def program() -> str | None:
    """Return the path of kubectl; ``None`` where it is not installed."""
    return shutil.which("kubectl")


@asynccontextmanager
async def kubectl_forward(endpoint: PodEndpoint, kubeconfig: str) -> AsyncIterator[KubectlForward]:
    """Return a dialer for the pod; leaving ends every kubectl.

    ``kubeconfig`` is the file that a setting names, else empty.
    """
    words = [program() or "kubectl", "port-forward", "--address=127.0.0.1"]
    words += [f"--namespace={endpoint.namespace}"]
    # kubectl finds a pod's service account by itself.
    if endpoint.access.context != IN_CLUSTER:
        words += [f"--context={endpoint.access.context}"]
    if kubeconfig:
        words += [f"--kubeconfig={kubeconfig}"]
    async with AsyncExitStack() as children:
        yield KubectlForward(endpoint, [*words, f"pod/{endpoint.pod}"], children)


class KubectlForward:
    """Dials ports of one pod; use :func:`kubectl_forward`."""

    def __init__(
        self, endpoint: PodEndpoint, words: Sequence[str], children: AsyncExitStack
    ) -> None:
        self._endpoint = endpoint
        self._words = words
        self._children = children
        self._forwards: dict[int, _Forward] = {}
        self._streams: dict[socket.socket, GuardedChild] = {}
        self._starting = asyncio.Lock()

    async def dial(self, port: int) -> socket.socket:
        """Return a connection to the kubectl that forwards to the pod's port.

        Raises ``UnreachableError`` and ``TimedOutError``. Cancelled, it leaves no socket behind.
        """
        forward = await self._forward(port)
        try:
            stream = await connected("127.0.0.1", forward.local_port)
        except OSError as error:
            raise failures.kubectl_failed(
                self._endpoint, port, await _last_words(forward.child)
            ) from error
        try:
            # kubectl accepts first and closes when the pod refuses.
            refused = await ended_within(stream, _REFUSED_SECONDS)
        except BaseException:
            stream.close()
            raise
        if refused:
            stream.close()
            raise failures.closed_port(self._endpoint, port, await _last_words(forward.child))
        # Streams that their callers have closed are forgotten here.
        self._streams = {one: child for one, child in self._streams.items() if one.fileno() >= 0}
        self._streams[stream] = forward.child
        return stream

    async def why_ended(self, stream: socket.socket) -> str:
        """Return what kubectl wrote last, where it has ended by itself, else nothing."""
        child = self._streams.get(stream)
        if child is None or not await child.exited_within(_EXPLAIN_SECONDS):
            return ""
        return f"kubectl ended: {child.last_output}"

    async def _forward(self, port: int) -> _Forward:
        # Two dials to one port at once must not start two kubectls.
        async with self._starting:
            forward = self._forwards.get(port)
            # kubectl ends when the pod refuses one of its streams; then another is started.
            if forward is None or forward.child.exited.is_set():
                self._forwards[port] = forward = await self._started(port)
            return forward

    async def _started(self, port: int) -> _Forward:
        child = await self._children.enter_async_context(
            # No local port is given, so that kubectl chooses a free one and prints it.
            guarded_child([*self._words, f":{port}"], os.environ, ready=f" -> {port}\n".encode())
        )
        await child.ready_or_exited(_READY_SECONDS)
        found = _LISTENS.search(child.last_output)
        if child.exited.is_set():
            raise failures.kubectl_failed(self._endpoint, port, child.last_output)
        if found is None:
            raise TimedOutError(
                f"kubectl port-forward to port {port} of pod {self._endpoint} was not ready after"
                f" {_READY_SECONDS:g} s",
                remedy="Run it by hand to see what it waits for.",
            )
        return _Forward(child=child, local_port=int(found[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forward:
    child: GuardedChild
    local_port: int


async def _last_words(child: GuardedChild) -> str:
    """Return the last output of kubectl, after waiting up to 1 s for it to end."""
    await child.exited_within(_EXIT_SECONDS)
    return child.last_output
