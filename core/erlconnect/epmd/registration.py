"""The names of one session in the machine's EPMD, and how they come back when it goes away.

``LocalEpmd`` registers the names and keeps them: after a loss they are registered again with an
EPMD that returns within a second, otherwise with an embedded one (``local_epmd.py``).
``candidate_names`` says which names are tried where the first is taken.

The loss of an EPMD cuts real nodes off as well. Measured: those of OTP 25, 27 and 29 try again
every 2 seconds and are back with whatever then listens; those of OTP 23 never try.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from erlconnect.epmd.local_epmd import EpmdProvider
from erlconnect.epmd.messages import Alive2Request
from erlconnect.errors import EpmdError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from erlconnect.epmd.client import Registration

_LAST_NUMBER: Final = 999
# A node that stops holds its name for a second (measured: OTP 25, init:stop, 1.01 s).
_STOPPING_SECONDS: Final = 1.2
_PAUSE_SECONDS: Final = 0.1
_TRY_AGAIN_SECONDS: Final = 0.5


@dataclass(slots=True, kw_only=True)
class _NameRegistration:
    """A name of this session; ``task`` registers it again whenever it is lost."""

    name: str
    port: int
    registration: Registration
    task: asyncio.Task[None] = field(init=False)


class LocalEpmd:
    """The machine's EPMD as one session uses it: an asynchronous context manager.

    Entering finds the EPMD on 127.0.0.1 or serves one; leaving gives every name back and leaves
    no task and no socket. ``warn`` is told what does not stop the session.
    """

    def __init__(
        self, *, port: int, addresses: Sequence[str] = (), warn: Callable[[str], None]
    ) -> None:
        """``addresses`` are those of ERL_EPMD_ADDRESS, for an embedded EPMD."""
        self.port = port
        self._warn = warn
        self._provider = EpmdProvider(port, addresses=addresses, warn=warn)
        self._registrations: dict[str, _NameRegistration] = {}
        self._tasks = asyncio.TaskGroup()

    @property
    def embedded(self) -> bool:
        """Whether this session serves the EPMD itself."""
        return self._provider.embedded

    async def __aenter__(self) -> Self:
        """Raise ``EpmdError`` within some 2 seconds where the port is held by something else."""
        await self._provider.ensure_running()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            async with asyncio.TaskGroup() as closing:
                for kept in self._registrations.values():
                    closing.create_task(_release(kept))
            # A TaskGroup that is told of the block's own error would wrap it in an ExceptionGroup;
            # but it has to be told of a cancellation.
            cancelled = isinstance(error, asyncio.CancelledError)
            await self._tasks.__aexit__(*(kind, error, trace) if cancelled else (None,) * 3)
        finally:
            await self._provider.close()

    async def register(
        self,
        name: str,
        *,
        port: int,
        suffix: str = "",
        usable: Callable[[str], bool] = lambda _: True,
    ) -> str:
        """Register a node with its distribution port; return the name it really has now.

        ``name`` is the part before the ``@``. A name that is not ``usable``, or is taken, and not
        by a node that is about to end, gets ``suffix`` (if any), then 2, 3... after a dash. Raises
        ``EpmdError``. Cancelled, it leaves no name behind.
        """
        # Only for the first candidate: a node that has just been stopped has that name.
        grace_seconds = _STOPPING_SECONDS
        for candidate in filter(usable, candidate_names(name, suffix)):
            registration = await self._claim(candidate, port, grace_seconds)
            if registration is not None:
                self._add(_NameRegistration(name=candidate, port=port, registration=registration))
                return candidate
            grace_seconds = 0
        raise EpmdError(
            f"{self._provider.where} refuses the name {name} and every name made from it",
            remedy="Choose another with --as NAME; `epmd -names` lists those that are taken.",
        )

    async def names(self) -> Mapping[str, int]:
        """Return all registered names, this session's too, and ports. Raises ``EpmdError``."""
        return dict((await self._provider.names()).nodes)

    async def unregister(self, name: str) -> None:
        """Give back a name that ``register`` returned; it is gone when this returns."""
        await _release(self._registrations.pop(name))

    def _add(self, kept: _NameRegistration) -> None:
        self._registrations[kept.name] = kept
        kept.task = self._tasks.create_task(self._keep(kept))

    async def _keep(self, kept: _NameRegistration) -> None:
        while True:
            await kept.registration.lost()
            await kept.registration.close()
            kept.registration = await self._register_again(kept.name, kept.port)

    async def _register_again(self, name: str, port: int) -> Registration:
        warned = ""
        request = Alive2Request(node_name=name, port_no=port)
        while True:
            try:
                await self._provider.ensure_running_again()
                registration = await self._provider.register(request)
                if registration is not None:
                    return registration
                problem = f"{self._provider.where} has given the name to another node"
            except EpmdError as error:
                problem = error.message
            if problem != warned:
                self._warn(f"{name} is not registered for now: {problem}")
                warned = problem
            await asyncio.sleep(_TRY_AGAIN_SECONDS)

    async def _claim(self, name: str, port: int, grace_seconds: float) -> Registration | None:
        """Register, trying again for ``grace_seconds`` seconds unless the name is our own."""
        loop = asyncio.get_running_loop()
        request = Alive2Request(node_name=name, port_no=port)
        end = loop.time() + grace_seconds
        while name not in self._registrations:
            registration = await self._provider.register(request)
            if registration is not None or loop.time() >= end:
                return registration
            await asyncio.sleep(_PAUSE_SECONDS)
        return None


async def _release(kept: _NameRegistration) -> None:
    """Give a name back: first end what would register it again, then the registration."""
    kept.task.cancel()
    try:
        await asyncio.wait([kept.task])
    finally:
        await kept.registration.close()


def candidate_names(name: str, suffix: str = "") -> Iterator[str]:
    """Return ``name``, then with ``suffix`` if there is one, then with 2, 3... after a dash.

    No candidate holds two dashes in a row, because Livebook takes ``a--b`` for a part of ``a``.
    """
    yield _single_dashes(name)
    allowed = re.sub(r"[^0-9A-Za-z_]+", "-", suffix).strip("-")
    if allowed:
        yield _single_dashes(f"{name}-{allowed}")
    for number in range(2, _LAST_NUMBER + 1):
        yield _single_dashes(f"{name}-{number}")


def _single_dashes(name: str) -> str:
    return re.sub(r"-{2,}", "-", name)
