"""What tests look at from outside: errors for people, secrets, processes and their sockets."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from world.connected import LOCAL_COOKIE, REMOTE_COOKIE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from world.processes import Process
    from world.session import ErlconnectSession

COMMAND = Path(sys.executable).with_name("erlconnect")
WRONG_COOKIE = "wrong-cookie-77d2"
COOKIES = (LOCAL_COOKIE, REMOTE_COOKIE, WRONG_COOKIE)
_DIGEST = re.compile(r"\b[0-9a-f]{32}\b", re.IGNORECASE)


def assert_explained(
    event: Mapping[str, Any], *, code: int, cause: str, says: tuple[str, ...], advises: str
) -> None:
    """An error names what was tried and what came back (``says``), and what to do."""
    assert (event["code"], event["cause"]) == (code, cause), event
    for words in says:
        assert words in event["message"], event
    assert advises in event["remedy"], event


def assert_secret(process: Process) -> None:
    """No cookie and no digest in what ``process`` said, nor in its or its children's words."""
    assert_no_secret(process.output)
    for pid in family(process.pid):
        assert_no_secret(words_of(pid))


def assert_no_secret(text: str) -> None:
    for cookie in COOKIES:
        assert cookie not in text
    assert not _DIGEST.search(text)
    assert "Traceback" not in text


def failure(session: ErlconnectSession, timeout: float = 30) -> dict[str, Any]:
    """The error of a session that never was ready; its exit code is the error's."""
    with session:
        code = session.wait(timeout)
        event = session.events[-1]
        assert event["event"] == "error", session.process.output
        assert code == event["code"]
        assert_no_secret(session.process.output)
        assert session.process.stderr == ""
    return event


def family(pid: int) -> list[int]:
    """``pid`` and all its descendants that still run."""
    found = [pid]
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += family(int(path.parent.name))
    return found


def words_of(pid: int) -> str:
    """The command line of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def rss(pid: int) -> int:
    """The bytes of memory that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)[0]) * 1024


def listening(pid: int) -> set[tuple[str, int]]:
    """Addresses and ports on which a process listens for TCP."""
    return {_address(row[3]) for row in _sockets("-tl", pid)}


def connections(pid: int) -> list[tuple[tuple[str, int], tuple[str, int]]]:
    """Both ends of each TCP connection of a process, its own first."""
    return [(_address(row[3]), _address(row[4])) for row in _sockets("-t", pid)]


def _sockets(option: str, pid: int) -> list[list[str]]:
    shown = subprocess.run(
        ["ss", "-Hnp", option], capture_output=True, text=True, check=True, timeout=10
    )
    return [line.split() for line in shown.stdout.splitlines() if f"pid={pid}," in line]


def _address(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)
