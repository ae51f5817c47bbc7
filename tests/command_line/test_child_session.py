"""A session and its child, where the session is the one that ends first."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from world.waiting import wait_until

from erlconnect.command_line import child_session
from erlconnect.command_line.child_session import (
    ChildCommand,
    ReadySession,
    run_child_session,
)
from erlconnect.command_line.options import CliOptions, OutputOptions
from erlconnect.errors import EpmdError
from erlconnect.session.events import AliasEntry, Ready
from erlconnect.session.instance_lock import instance_lock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from erlconnect.session.config import SessionConfig
    from erlconnect.session.events import Reporter

_ALIAS = AliasEntry(
    alias="app@127.0.0.1",
    short_alias="app@localhost",
    ipv6_alias="app@::1",
    node="app@10.3.2.1",
    address="10.3.2.1",
    dist_port=1,
    local_port=2,
    backend="fixed",
    transport="direct",
    cookie_source="env",
    facts={},
)
_READY = Ready(
    epmd_port=3,
    epmd_embedded=True,
    aliases=[_ALIAS],
)
_STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: open(sys.argv[1], "a").write("asked to end"))
open(sys.argv[1], "w").write(f"{os.getpid()}\\n")
while True: time.sleep(0.05)
"""


class FailingSession:
    """Gets ready, and fails as soon as the child has written its file."""

    file: Path

    def __init__(
        self, _configs: Sequence[SessionConfig], _catalogue: object, reporter: Reporter, *_: Any
    ) -> None:
        self._reporter = reporter

    async def run(self) -> None:
        self._reporter.report(_READY)
        await asyncio.to_thread(wait_until, self._child_runs, "the child runs")
        raise EpmdError("the epmd is gone for good", remedy="")

    def _child_runs(self) -> bool:
        return self.file.exists() and self.file.read_text().endswith("\n")


def test_a_session_that_fails_ends_its_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """Even one that ignores the signal; and the session's error is the one that is raised."""
    FailingSession.file = tmp_path / "child"
    monkeypatch.setattr(child_session, "Session", lambda *words, **_: FailingSession(*words))
    monkeypatch.setattr(child_session, "_END_SECONDS", 0.5)
    monkeypatch.setattr("erlconnect.command_line.child_process._FORWARDED", ())
    words = [sys.executable, "-c", _STUBBORN, str(FailingSession.file)]

    async def prepare(_session: ReadySession) -> ChildCommand:
        return ChildCommand(words=words, environment=os.environ)

    output = OutputOptions(quiet=True)
    with (
        instance_lock({"XDG_RUNTIME_DIR": str(tmp_path)}) as lock,
        pytest.raises(EpmdError, match="gone for good"),
    ):
        run_child_session("app@10.3.2.1", CliOptions(backend="fixed"), lock, output, prepare)
    pid, _, asked = FailingSession.file.read_text().partition("\n")
    assert asked == "asked to end"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
