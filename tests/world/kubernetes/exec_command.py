"""One process that a client runs in a pod. Knows nothing of how its bytes travel to the client."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from world.kubernetes.statuses import bad_request, status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from world.kubernetes.pods import RunningPod

STDIN, STDOUT, STDERR, ERROR = range(4)  # as channels are numbered
_CHUNK: Final = 32 << 10
_TRUE: Final = ("1", "true")


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What a request asks to run."""

    container: str
    words: tuple[str, ...]
    stdin: bool
    stdout: bool
    stderr: bool


def asked_execution(item: Mapping[str, Any], query: Sequence[tuple[str, str]]) -> Execution:
    """The execution that a query asks for in the pod ``item``. Raises RefusedError."""
    words = tuple(value for key, value in query if key == "command")
    asked = dict(query)
    flags = {key: asked.get(key) in _TRUE for key in ("stdin", "stdout", "stderr")}
    if not words:
        raise bad_request("you must specify at least 1 command for the container")
    if not any(flags.values()):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    if asked.get("tty") in _TRUE:
        raise bad_request("the double has no terminals")
    return Execution(container=_container(item, asked.get("container", "")), words=words, **flags)


class Running:
    """The process of one execution; its output and its outcome go to ``send(channel, data)``."""

    def __init__(
        self,
        pod: RunningPod,
        asked: Execution,
        send: Callable[[int, bytes], Awaitable[None]],
    ) -> None:
        self._pod = pod
        self._asked = asked
        self._send = send
        self._process: asyncio.Future[asyncio.subprocess.Process | None]
        self._process = asyncio.get_running_loop().create_future()

    async def run(self) -> dict[str, Any]:
        """Run it to its end, and give the Status that says how it ended."""
        try:
            process = await self._start()
        except FileNotFoundError as error:
            self._process.set_result(None)
            return _not_started(str(error))
        self._process.set_result(process)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._copy(process.stdout, STDOUT))
                tasks.create_task(self._copy(process.stderr, STDERR))
            return _ended(await process.wait())
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def feed(self, data: bytes) -> None:
        """Hand on to stdin."""
        process = await self._process
        if process and process.stdin:
            with contextlib.suppress(ConnectionError):
                process.stdin.write(data)
                await process.stdin.drain()

    async def end_input(self) -> None:
        """Close stdin."""
        process = await self._process
        if process and process.stdin:
            process.stdin.close()

    async def close(self) -> None:
        """The client takes back its stdin."""
        await self.end_input()

    async def _start(self) -> asyncio.subprocess.Process:
        words = self._pod.command(self._asked.container, self._asked.words)
        wanted = (self._asked.stdin, self._asked.stdout, self._asked.stderr)
        pipes = [asyncio.subprocess.PIPE if each else asyncio.subprocess.DEVNULL for each in wanted]
        return await asyncio.create_subprocess_exec(
            *words, stdin=pipes[0], stdout=pipes[1], stderr=pipes[2], start_new_session=True
        )

    async def _copy(self, reader: asyncio.StreamReader | None, channel: int) -> None:
        while reader is not None and (data := await reader.read(_CHUNK)):
            await self._send(channel, data)


def _container(item: Mapping[str, Any], asked: str) -> str:
    pod = item["metadata"]["name"]
    names = [str(each["name"]) for each in item["spec"]["containers"]]
    if not asked and len(names) > 1:
        choice = " ".join(names)
        raise bad_request(
            f"a container name must be specified for pod {pod}, choose one of: [{choice}]"
        )
    if asked and asked not in names:
        raise bad_request(f"container {asked} is not valid for pod {pod}")
    return asked or names[0]


def _ended(returncode: int) -> dict[str, Any]:
    if returncode == 0:
        return {"metadata": {}, "status": "Success"}
    code = returncode if returncode > 0 else 128 - returncode
    text = f"command terminated with non-zero exit code: command terminated with exit code {code}"
    cause = {"reason": "ExitCode", "message": str(code)}
    outcome = status(500, "NonZeroExitCode", text, {"causes": [cause]})
    return {key: outcome[key] for key in ("metadata", "status", "message", "reason", "details")}


def _not_started(word: str) -> dict[str, Any]:
    text = (
        "Internal error occurred: error executing command in container: failed to exec in "
        "container: OCI runtime exec failed: exec failed: unable to start container process: "
        f'exec: "{word}": executable file not found in $PATH: unknown'
    )
    return status(500, "InternalError", text)
