"""The transport ``command`` with real programs of this machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from world.missing import require
from world.waiting import wait_until

from erlconnect.api import ConfigurationError, NodeName, Target, UnreachableError, UsageError
from erlconnect.testing import check_transport
from erlconnect_plugins.transports.command import CommandTransport, CommandTransportSettings

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target(node=NodeName.parse("app@127.0.0.1"), address="127.0.0.1")
SHOW = f"{sys.executable} -c 'import sys, time; print(sys.argv[1:], flush=True); time.sleep(9)'"


def transport(command: str, *, shell: bool = False) -> CommandTransport:
    return CommandTransport(CommandTransportSettings(command=command, shell=shell))


async def echo_server() -> asyncio.Server:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    return await asyncio.start_server(echo, "127.0.0.1", 0)


async def received(stream_text: str, *, shell: bool = False, size: int = 200) -> bytes:
    """Return what the program writes first."""
    async with transport(stream_text, shell=shell).open(TARGET) as dialer:
        with await dialer.dial(4370) as stream:
            return await asyncio.get_running_loop().sock_recv(stream, size)


async def test_socat_passes_the_conformance_kit() -> None:
    require("socat", shutil.which("socat") is not None)
    server = await echo_server()
    async with server:
        port = server.sockets[0].getsockname()[1]
        with_socat = transport("socat - TCP:%h:%p")
        await check_transport(with_socat, TARGET, port=port, closed_port=1)


async def test_address_port_and_node_stand_where_they_were_asked_for() -> None:
    assert await received(f"{SHOW} %h:%p %n 100%%") == (
        b"['127.0.0.1:4370', 'app@127.0.0.1', '100%']\n"
    )


async def test_no_shell_looks_at_the_words() -> None:
    assert await received(f"{SHOW} '$HOME;ls'") == b"['$HOME;ls']\n"


async def test_a_shell_does_where_it_is_asked_for() -> None:
    assert await received("echo $((4 + 3)) %p; sleep 9", shell=True) == b"7 4370\n"


async def test_a_program_that_fails_at_once_says_why() -> None:
    async with transport("sh -c 'echo no way >&2; exit 3'").open(TARGET) as dialer:
        with pytest.raises(UnreachableError, match="sh ended with exit code 3: no way"):
            await dialer.dial(4370)


async def test_a_program_that_dies_later_is_explained() -> None:
    async with transport("sh -c 'sleep 0.6; echo lost it >&2; exit 4'").open(TARGET) as dialer:
        with await dialer.dial(4370) as stream:
            assert await asyncio.get_running_loop().sock_recv(stream, 1) == b""
            assert await dialer.why_ended(stream) == "sh ended with exit code 4: lost it"


async def test_a_program_that_runs_has_no_end_to_explain() -> None:
    async with transport("sleep 9").open(TARGET) as dialer:
        with await dialer.dial(4370) as stream:
            assert await dialer.why_ended(stream) == ""


async def test_a_program_ends_with_its_stream(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    program = f"sh -c 'echo $$ > {pid_file}; trap : TERM; while :; do sleep 0.1; done'"
    async with transport(program).open(TARGET) as dialer:
        stream = await dialer.dial(4370)
        await asyncio.to_thread(wait_until, pid_file.exists, "the program started")
        stream.close()
        pid = int(pid_file.read_text())
        await asyncio.to_thread(wait_until, lambda: not _alive(pid), "the program ended")


async def test_leaving_the_transport_ends_its_programs(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    async with transport(f"sh -c 'echo $$ > {pid_file}; exec sleep 60'").open(TARGET) as dialer:
        stream = await dialer.dial(4370)
        await asyncio.to_thread(wait_until, pid_file.exists, "the program started")
    assert stream.fileno() < 0
    assert not _alive(int(pid_file.read_text()))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_what_a_shell_has_started_ends_with_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = f"sleep 60 & echo $! > {pid_file}; wait"
    async with transport(command, shell=True).open(TARGET) as dialer:
        await dialer.dial(4370)
        await asyncio.to_thread(wait_until, pid_file.exists, "the program started")
    pid = int(pid_file.read_text())
    await asyncio.to_thread(wait_until, lambda: not _alive(pid), "the sleep ended")


async def test_a_program_that_is_not_there() -> None:
    async with transport("no-such-program-here %h").open(TARGET) as dialer:
        with pytest.raises(ConfigurationError, match="no-such-program-here"):
            await dialer.dial(4370)


@pytest.mark.parametrize("command", ["ssh 'open", "ssh %x", " "])
async def test_a_command_that_cannot_be_meant(command: str) -> None:
    async with transport(command).open(TARGET) as dialer:
        with pytest.raises(UsageError):
            await dialer.dial(4370)
