"""The real kubectl in two versions: the client that proves the API server double.

Knows how it is called so that it sees one kubeconfig and leaves nothing in anybody's home.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from world.missing import require
from world.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORLD: Final = Path(__file__).parents[3] / ".world"
SUITES: Final = ("trixie", "sid")  # of Debian: Kubernetes 1.32 and 1.36
_FORWARDING: Final = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) -> \d+")
_SECONDS: Final = 30


class Kubectl:
    """One version with one kubeconfig; a context manager that removes its cache."""

    def __init__(self, suite: str, kubeconfig: Path | None) -> None:
        """Without ``kubeconfig`` the variable KUBECONFIG counts."""
        self.suite = suite
        self.program = _WORLD / f"kubectl-{suite}" / "usr" / "bin" / "kubectl"
        require(f"kubectl of Debian {suite}", self.program.exists())
        self._cache = tempfile.TemporaryDirectory(prefix="kubectl-")
        named = () if kubeconfig is None else (f"--kubeconfig={kubeconfig}",)
        self._options = (*named, f"--cache-dir={self._cache.name}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cache.cleanup()

    def run(self, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run it to its end, with ``given`` on its stdin."""
        return subprocess.run(
            [self.program, *self._options, *words],
            input=given,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
            env={**os.environ, "HOME": self._cache.name},
        )

    def says(self, *words: str) -> str:
        """What it prints; fails the test if it fails."""
        done = self.run(*words)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr.decode()}"
        return done.stdout.decode().strip()

    def fails(self, *words: str) -> str:
        """What it complains of; fails the test if it does not fail."""
        done = self.run(*words)
        assert done.returncode != 0, f"kubectl {' '.join(words)} worked: {done.stdout.decode()}"
        return done.stderr.decode().strip()

    def started(self, *words: str) -> Process:
        """Start it."""
        command = [str(self.program), *self._options, *words]
        return Process(command, environment={"HOME": self._cache.name})

    @contextmanager
    def forwarding(self, *words: str) -> Iterator[tuple[Process, int]]:
        """Run ``port-forward`` with these words; gives the process and its local port."""
        with self.started("port-forward", *words) as process:
            line = process.wait_for_line("Forwarding from 127.0.0.1", _SECONDS)
            found = _FORWARDING.search(line)
            assert found, line
            yield process, int(found[1])
