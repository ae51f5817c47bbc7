"""What the programs of this machine say of themselves, and what if they say nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from world.missing import require
from world.waiting import wait_until

from erlconnect.diagnostics import local_steps
from erlconnect.diagnostics.local_steps import local_elixir, local_erlang

if TYPE_CHECKING:
    import pytest


def on_path(folder: Path, name: str, script: str) -> dict[str, str]:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    return {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)}


async def test_the_real_erl_tells_its_release(tmp_path: Path) -> None:
    require("erl", any((Path(one) / "erl").exists() for one in os.environ["PATH"].split(":")))
    (tmp_path / ".erlang").write_text('io:format("99~n").\n')
    own = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ERL_AFLAGS": "-sname visible"}
    found = await local_erlang(own)
    assert found
    assert (found.version, found.problem) == ("25", "")
    assert os.listdir(tmp_path) == [".erlang"], "it was started as a node"  # noqa: PTH208


async def test_none_on_path(tmp_path: Path) -> None:
    assert await local_erlang({"PATH": str(tmp_path)}) is None
    assert await local_elixir({"PATH": str(tmp_path)}) is None


async def test_what_it_says_besides_does_not_matter(tmp_path: Path) -> None:
    own = on_path(tmp_path, "elixir", "echo warning: old >&2; sleep 0.2; echo 1.18.3")
    found = await local_elixir(own)
    assert found
    assert found.version == "1.18.3"


async def test_a_child_that_it_leaves_holds_nothing_up(tmp_path: Path) -> None:
    own = on_path(tmp_path, "erl", "sleep 600 & echo 27")
    began = time.monotonic()
    found = await local_erlang(own)
    assert found
    assert found.version == "27"
    assert time.monotonic() - began < 10


async def test_one_that_fails_is_quoted(tmp_path: Path) -> None:
    own = on_path(tmp_path, "erl", "echo no such boot file >&2; exit 1")
    found = await local_erlang(own)
    assert found
    assert (found.version, found.problem) == ("", "it said no such boot file")


async def test_one_that_cannot_be_run(tmp_path: Path) -> None:
    own = on_path(tmp_path, "erl", "")
    (tmp_path / "erl").write_bytes(b"\x7fELF")
    found = await local_erlang(own)
    assert found
    assert found.version == ""
    assert found.problem


async def test_one_that_hangs_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_steps, "_PROGRAM_SECONDS", 0.5)
    pids = tmp_path / "pids"
    own = on_path(tmp_path, "erl", f"sleep 600 & echo $! >> {pids}; echo $$ >> {pids}; wait")
    began = time.monotonic()
    found = await local_erlang(own)
    assert time.monotonic() - began < 15
    assert found
    assert found.problem == "it took longer than 0.5 s"
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 2
    wait_until(lambda: all(map(is_gone, started)), "the program and its child are gone")


def is_gone(pid: int) -> bool:
    """Whether it has ended; nobody may have asked for its exit code yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
