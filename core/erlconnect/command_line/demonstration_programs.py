"""Running the programs of ``erlconnect demo``, each in surroundings of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from erlconnect.errors import ConfigurationError, TimedOutError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SECONDS: Final = 20.0


@contextmanager
def child(
    command: Sequence[str], environment: Mapping[str, str], stdout: int = subprocess.DEVNULL
) -> Iterator[Any]:
    """Run a program for as long as the context lasts; ``ConfigurationError`` if it is missing."""
    program = shutil.which(command[0])
    if program is None:
        raise ConfigurationError(
            f"the demo needs {command[0]}, and it is not on PATH",
            remedy="Install Erlang and Knot DNS; in a checkout `./run demo` does it.",
        )
    child = subprocess.Popen(  # noqa: S603 - no shell, fixed words
        [program, *command[1:]],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with child:
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()


def home_folder(folder: Path, name: str, cookie: str) -> Path:
    """Make a HOME of its own; with a cookie file, if there is a cookie."""
    home = folder / name
    home.mkdir()
    if cookie:
        file = home / ".erlang.cookie"
        file.touch(mode=0o600)
        file.write_text(cookie)
        file.chmod(0o400)
    return home


def own_environment(home: Path, epmd_port: int) -> dict[str, str]:
    """Give this process's variables without those of erlconnect, with another HOME and epmd."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("ERLCONNECT_")}
    return {**own, "HOME": str(home), "ERL_EPMD_PORT": str(epmd_port)}


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for_port(port: int, what: str) -> None:
    """Wait until somebody listens; ``TimedOutError`` names ``what``."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimedOutError(f"{what} did not listen after {SECONDS:g} s", remedy="Try again.")


def say(text: str) -> None:
    """Print a line of the demo's result."""
    print(text, flush=True)  # noqa: T201 - the demo's result
