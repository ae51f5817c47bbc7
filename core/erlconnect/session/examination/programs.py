"""The Erlang and Elixir of this machine: whether they are on PATH, and which releases."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.child_starts import started_whole

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping, Sequence

_SECONDS: Final = 15.0
_MOST_BYTES: Final = 64 * 1024
_RELEASE: Final = "io:put_chars(erlang:system_info(otp_release)), halt()."
# Flags of the user's own could start a distributed node here, or a shell.
_FLAGS: Final = ("ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS", "ELIXIR_ERL_OPTIONS")
_OTP: Final = re.compile(r"^(\d+)$", re.MULTILINE)
_ELIXIR: Final = re.compile(r"^(\d+\.\d+\S*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program on PATH; ``version`` is empty where it did not tell one, and ``said`` is why."""

    path: str
    version: str
    said: str = ""


async def local_erlang(environment: Mapping[str, str]) -> Program | None:
    """Ask ``erl`` for its OTP release; ``None`` where it is not on PATH."""
    words = ("-noinput", "-boot", "no_dot_erlang", "-eval", _RELEASE)
    return await _asked("erl", words, _OTP, environment)


async def local_elixir(environment: Mapping[str, str]) -> Program | None:
    """Ask ``elixir`` for its version; ``None`` where it is not on PATH."""
    return await _asked("elixir", ("--short-version",), _ELIXIR, environment)


async def _asked(
    name: str, words: Sequence[str], pattern: re.Pattern[str], environment: Mapping[str, str]
) -> Program | None:
    path = shutil.which(name, path=environment.get("PATH"))
    if path is None:
        return None
    try:
        said = await _output(path, words, environment)
    except (OSError, TimeoutError) as error:
        reason = str(error) or f"it took longer than {_SECONDS:g} s"
        return Program(path=path, version="", said=reason)
    found = pattern.search(said)
    if found is None:
        last = said.strip().splitlines()[-1:] or ["nothing"]
        return Program(path=path, version="", said=f"it said {last[0][:200]}")
    return Program(path=path, version=found[1])


async def _output(path: str, words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a program in a process group of its own, which is ended with it; give what it said.

    It writes to a file, because a child of its own could hold a pipe open for longer.
    """
    own = {name: value for name, value in environment.items() if name not in _FLAGS}
    with tempfile.TemporaryFile() as written:
        starting = asyncio.create_subprocess_exec(
            path,
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=written,
            stderr=asyncio.subprocess.STDOUT,
            env={**own, "ERL_CRASH_DUMP_BYTES": "0"},
            start_new_session=True,
        )
        child = await started_whole(starting, _killed)
        try:
            async with asyncio.timeout(_SECONDS):
                await child.wait()
        finally:
            await _killed(child)
        written.seek(0)
        return written.read(_MOST_BYTES).decode(errors="replace")


async def _killed(child: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    await child.wait()
