"""Child processes: what is kept of them, how they end, and a start that is cancelled."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from world.waiting import wait_until

from erlconnect.net import subprocesses as module
from erlconnect.net.subprocesses import (
    MAX_OUTPUT_BYTES,
    ChildConfig,
    ChildOutput,
    child_output,
    child_process,
    started_whole,
)

# Says its pid, and does not end when asked to.
STUBBORN = (
    "import os, signal, sys, time;"
    "signal.signal(signal.SIGTERM, lambda *_: open(sys.argv[1] + '.asked', 'w').write('yes'));"
    "open(sys.argv[1] + '.new', 'w').write(str(os.getpid()));"
    "os.rename(sys.argv[1] + '.new', sys.argv[1]);"
    "[time.sleep(1) for _ in range(300)]"
)


def shell(script: str, *arguments: str) -> list[str]:
    return ["/bin/sh", "-c", script, "sh", *arguments]


async def text_of(path: Path) -> str:
    """Wait until somebody has written ``path``."""

    def written() -> bool:
        return path.exists() and path.read_text() != ""

    await asyncio.to_thread(wait_until, written, f"{path.name} written")
    return await asyncio.to_thread(path.read_text)


def exists(pid: int) -> bool:
    """Whether there is such a process, a zombie too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def running(pid: int) -> bool:
    """Whether there is such a process that is no zombie, which init may leave for a while."""
    with suppress(FileNotFoundError):
        status = Path(f"/proc/{pid}/stat").read_text()
        return status.rpartition(") ")[2][0] != "Z"
    return False


async def test_both_streams_and_the_status_are_kept() -> None:
    ended = await child_output(shell("echo out; echo err >&2; exit 3"), deadline=30)

    assert ended == ChildOutput(stdout=b"out\n", stderr=b"err\n", status=3)
    assert "out" not in repr(ended)


async def test_a_signal_is_a_negative_status() -> None:
    ended = await child_output(shell("kill -9 $$"), deadline=30)

    assert ended.status == -signal.SIGKILL


async def test_there_is_no_input() -> None:
    assert (await child_output(["cat"], deadline=30)).stdout == b""


async def test_a_flood_is_read_to_its_end_and_not_kept() -> None:
    flood = f"head -c {20 * MAX_OUTPUT_BYTES} /dev/zero; head -c 200000 /dev/zero >&2"
    ended = await child_output(shell(flood), deadline=30)

    assert (len(ended.stdout), len(ended.stderr)) == (MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES)
    assert ended.status == 0


async def test_a_program_that_is_not_there_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await child_output([str(tmp_path / "none")], deadline=30)


async def test_at_the_deadline_the_child_is_ended_and_reaped(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(TimeoutError):
        await child_output(shell('echo $$ > "$1"; exec sleep 300', str(pid_file)), deadline=0.5)

    assert not exists(int(await text_of(pid_file)))


async def test_cancelled_it_kills_a_child_that_does_not_end_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.3)
    pid_file = tmp_path / "pid"
    async with asyncio.TaskGroup() as group:
        fetching = group.create_task(
            child_output([sys.executable, "-c", STUBBORN, str(pid_file)], deadline=60)
        )
        pid = int(await text_of(pid_file))
        fetching.cancel()

    assert fetching.cancelled()
    assert await text_of(tmp_path / "pid.asked") == "yes"
    assert not exists(pid)


async def test_cancelled_twice_it_kills_the_child_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 60)
    pid_file = tmp_path / "pid"
    async with asyncio.TaskGroup() as group, asyncio.timeout(50):
        fetching = group.create_task(
            child_output([sys.executable, "-c", STUBBORN, str(pid_file)], deadline=90)
        )
        pid = int(await text_of(pid_file))
        fetching.cancel()
        await text_of(tmp_path / "pid.asked")
        fetching.cancel()
        await asyncio.wait([fetching])

    assert fetching.cancelled()
    assert not exists(pid)


async def test_a_grandchild_that_keeps_the_pipes_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.1)
    pid_file = tmp_path / "pid"
    ended = await child_output(
        shell('sleep 300 & echo $! > "$1"; echo out', str(pid_file)), deadline=30
    )

    assert ended.stdout == b"out\n"
    os.kill(int(await text_of(pid_file)), signal.SIGKILL)


async def test_what_a_child_of_its_own_session_started_ends_with_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = 'sleep 300 & echo $! > "$1"; echo out; echo err >&2'
    ended = await child_output(
        shell(script, str(pid_file)), deadline=30, own_session=True, merged=True
    )

    assert ended == ChildOutput(stdout=b"out\nerr\n", stderr=b"", status=0)
    pid = int(await text_of(pid_file))
    await asyncio.to_thread(wait_until, lambda: not running(pid), "the grandchild ended")


async def test_the_environment_is_the_one_that_is_given() -> None:
    ended = await child_output(
        shell('echo "$ONE$HOME"'), deadline=30, environment={"ONE": "1", "PATH": os.defpath}
    )

    assert ended.stdout == b"1\n"


async def test_the_end_of_the_output_is_kept_where_that_is_wanted() -> None:
    config = ChildConfig(
        arguments=shell("echo beginning; echo the end"), kept_bytes=8, keeps_last=True
    )
    async with child_process(config) as child:
        await child.finished.wait()
        assert child.output() == b"the end\n"


async def test_a_child_that_says_so_is_ready_and_still_runs() -> None:
    config = ChildConfig(arguments=shell("echo it is ready; exec sleep 300"), ready=b"is ready\n")
    async with child_process(config) as child, asyncio.timeout(SECONDS):
        await child.ready_or_exited.wait()
        assert not child.exited.is_set()
    assert child.status == -signal.SIGTERM


async def test_a_child_that_exits_is_not_waited_for_any_longer() -> None:
    config = ChildConfig(arguments=shell("exit 4"), ready=b"is ready\n")
    async with child_process(config) as child, asyncio.timeout(SECONDS):
        await child.ready_or_exited.wait()
        assert await child.exited_within(SECONDS)
        child.send_signal(signal.SIGKILL)
    assert child.status == 4


async def test_a_signal_is_for_the_whole_session_where_the_child_has_its_own(
    tmp_path: Path,
) -> None:
    pid_file = tmp_path / "pid"
    script = 'sleep 300 & echo $! > "$1.new"; mv "$1.new" "$1"; wait'
    config = ChildConfig(arguments=shell(script, str(pid_file)), own_session=True)
    async with child_process(config) as child:
        pid = int(await text_of(pid_file))
        child.send_signal(signal.SIGKILL)
        assert await child.exited_within(SECONDS)
        await asyncio.to_thread(wait_until, lambda: not running(pid), "the grandchild ended")
    assert child.status == -signal.SIGKILL


SECONDS = 10.0
FOR_EVER = (sys.executable, "-c", "import time; time.sleep(600)")


async def ended(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


async def test_what_was_started_is_given() -> None:
    process = await started_whole(asyncio.create_subprocess_exec(*FOR_EVER), ended)
    assert process.returncode is None
    await ended(process)


@pytest.mark.parametrize("turns", range(12))
async def test_a_start_that_is_cancelled_ends_what_it_started(turns: int) -> None:
    processes = []

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(*FOR_EVER)
        processes.append(process)
        return process

    task = asyncio.ensure_future(started_whole(start(), ended))
    for _ in range(turns + 1):
        await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(SECONDS):
        with suppress(asyncio.CancelledError):
            await task

    (process,) = processes
    if not task.cancelled():
        await ended(task.result())
    assert process.returncode is not None


async def test_the_end_of_a_cancelled_start_may_wait_with_a_timeout() -> None:
    heard: list[str] = []

    async def end(started: str) -> None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            heard.append(started)

    task = asyncio.ensure_future(started_whole(asyncio.sleep(0.05, "child"), end))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard == ["child"]


async def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        await started_whole(asyncio.create_subprocess_exec("/nowhere/program"), ended)


async def test_a_cancelled_start_of_a_program_that_is_not_there_stays_cancelled() -> None:
    starting = asyncio.create_subprocess_exec("/nowhere/program")
    task = asyncio.ensure_future(started_whole(starting, ended))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises((asyncio.CancelledError, FileNotFoundError)) as raised:
        await task
    assert raised.type is asyncio.CancelledError
