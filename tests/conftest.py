"""What every test may ask for, and the check that the tests leave nothing behind."""

from __future__ import annotations

import os
import secrets
import signal
import string
from typing import TYPE_CHECKING, Any

import pytest
import quick
from world import leftovers, missing
from world.epmd import RealEpmd
from world.ports import free_port

from erlconnect import redaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PERSONAL = ("XDG_", "ERLCONNECT_")


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail the run's last test if processes or network namespaces outlive the run.

    Erlang nodes that crash leave no dump either.
    """
    # A run in the background is started deaf to Ctrl-C, and so would be all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    leftovers.mark()
    os.environ["ERL_CRASH_DUMP_BYTES"] = "0"
    yield
    left = leftovers.end_leftovers()
    assert not left, "the tests left behind:\n" + "\n".join(left)


@pytest.fixture(autouse=True)
def secrets_of_this_test_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the secrets of other tests, which would be redacted out of this one's texts."""
    monkeypatch.setattr(redaction, "_process_wide", redaction.Redactor())


@pytest.fixture
def epmd_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A free port, exported as ERL_EPMD_PORT for this test; nothing listens on it."""
    port = free_port()
    monkeypatch.setenv("ERL_EPMD_PORT", str(port))
    return port


@pytest.fixture
def epmd(epmd_port: int) -> Iterator[RealEpmd]:
    """A real epmd on ``epmd_port``."""
    with RealEpmd(epmd_port) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A HOME of this test's own, which holds a cookie as Erlang makes it, and no settings."""
    folder = tmp_path / "home"
    folder.mkdir()
    cookie = folder / ".erlang.cookie"
    cookie.write_text("".join(secrets.choice(string.ascii_uppercase) for _ in range(20)))
    cookie.chmod(0o400)
    monkeypatch.setenv("HOME", str(folder))
    for variable in [name for name in os.environ if name.startswith(_PERSONAL)]:
        monkeypatch.delenv(variable)
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know ``--quick``."""
    parser.addoption(
        "--quick", action="store_true", help="only tests that start no peer and no other process"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Watch over the tests of a quick run."""
    if config.getoption("quick"):
        config.pluginmanager.register(quick.Guard())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of a quick run what is not quick."""
    if config.getoption("quick"):
        reach = quick.Reach()
        kept = [item for item in items if quick.is_quick(item, reach)]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each peer that was missing, and how many tests were skipped for it."""
    for line in missing.summary_lines():
        terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what was missing here to the process that writes the summary, if that is another."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["missing peers"] = missing.counts()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take it from a process that ran a part of the tests and has ended."""
    missing.add(getattr(node, "workeroutput", {}).get("missing peers", {}))
