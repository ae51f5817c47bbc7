"""What one container of a pod is here: processes of its own, in the pod's network namespace.

Its first process does nothing but hold the place; whatever else runs in it ends with that one.
Files are those of the machine, but for a folder of its own, which is home and working directory.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from world.namespaces import prefix
from world.processes import Process
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_PAUSE: Final = ("sleep", "infinity")
_UNSHARE: Final = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


class Sandbox:
    """A container; a context manager that ends all that runs in it.

    ``environment`` is what its processes see, apart from PATH and HOME, which is ``folder``.
    """

    def __init__(self, namespace: str, environment: Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="container-")
        self.folder = Path(self._folder.name)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            **environment,
        }
        self._pause = Process([*prefix(namespace), *_UNSHARE, *_PAUSE])
        try:
            wait_until(self._children, "the container's first process runs")
        except BaseException:
            self._pause.kill()
            self._folder.cleanup()
            raise
        self._first = self._children()[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._folder.cleanup()

    def kill(self) -> None:
        """End everything in it by SIGKILL; nothing is left when this returns."""
        # The kernel lets the first process go only when all others are gone, and unshare waits.
        if self._pause.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._first, signal.SIGKILL)
            self._pause.wait()

    @property
    def inside(self) -> list[str]:
        """The words before a command that shall run in it, with the environment of the caller."""
        places = ("--mount", "--pid", "--net", f"--wd={self.folder}")
        return ["nsenter", f"--target={self._first}", *places, "--"]

    def command(self, words: Sequence[str]) -> list[str]:
        """What runs ``words`` in it, with the container's environment and no other.

        Raises FileNotFoundError if it has no such program.
        """
        if shutil.which(words[0], path=self.environment["PATH"]) is None:
            raise FileNotFoundError(words[0])
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return [*self.inside, "env", "-i", *variables, *words]

    def _children(self) -> list[int]:
        tasks = Path(f"/proc/{self._pause.pid}/task").glob("*/children")
        return [int(word) for task in tasks for word in task.read_text().split()]
