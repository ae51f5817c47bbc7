"""Standard streams that are closed, or lead into a pipe."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from command_line.running import COMMAND, erlconnect

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_streams_that_are_closed_are_no_bug(closed: str, tmp_path: Path) -> None:
    words = f"{COMMAND} -b fixed a@127.0.0.1 --visible {closed}"
    shown = subprocess.run(
        ["sh", "-c", words], env={**os.environ, "HOME": str(tmp_path)}, check=False, timeout=30
    )
    assert shown.returncode == 2


def test_colour_is_left_out_of_a_pipe(tmp_path: Path) -> None:
    shown = erlconnect("-b", "fixed", "a@127.0.0.1", "-o", "dist-port=1", home=tmp_path)
    assert "\x1b" not in shown.stderr + shown.stdout
