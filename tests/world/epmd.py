"""The real epmd, in the foreground on a port of the test's own."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Self

from world.missing import require
from world.processes import Process
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType


class RealEpmd:
    """An epmd that answers when the constructor returns; a context manager that ends it."""

    def __init__(
        self, port: int, *, address: str | None = "127.0.0.1", prefix: Sequence[str] = ()
    ) -> None:
        """``address`` (besides loopback; ``None``: every one); ``prefix``: words before epmd."""
        require("epmd", shutil.which("epmd") is not None)
        self.port = port
        self._prefix = tuple(prefix)
        self._address = () if address is None else ("-address", address)
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it at once, as a crash does: every registration is lost."""
        self._process.kill()

    def restart(self) -> None:
        """A new epmd on the same port, which knows no names."""
        self.kill()
        self._process = self._start()

    def names(self) -> dict[str, int]:
        """Registered names and their ports, as ``epmd -names`` prints them."""
        listing = self._ask()
        assert listing.returncode == 0, listing.stdout + listing.stderr
        found = re.findall(r"^name (\S+) at port (\d+)$", listing.stdout, re.MULTILINE)
        return {name: int(port) for name, port in found}

    def _start(self) -> Process:
        process = Process([*self._prefix, "epmd", "-port", str(self.port), *self._address])
        try:
            wait_until(self._answers, f"epmd on port {self.port} answers")
        except BaseException:
            process.kill()
            raise
        return process

    def _answers(self) -> bool:
        return self._ask().returncode == 0

    def _ask(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._prefix, "epmd", "-port", str(self.port), "-names"],
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
