"""The installed command, run to its end without a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND = Path(sys.executable).with_name("erlconnect")


def erlconnect(
    *arguments: str,
    home: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run it in ``folder``, without a terminal."""
    variables = {**os.environ, "HOME": str(home), "ERL_EPMD_PORT": "1", **(environment or {})}
    return subprocess.run(
        [COMMAND, *arguments],
        env=variables,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


class Run(Protocol):
    """The command, as the fixture ``run`` returns it: called with words and with variables."""

    def __call__(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]: ...
