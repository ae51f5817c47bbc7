from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from world.missing import require

from erlconnect.api import NodeName, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@pytest.fixture
def target() -> Target:
    return Target(node=NodeName.parse("app@10.3.2.1"), address="10.3.2.1")


@pytest.fixture
def erl_answer(tmp_path: Path) -> Callable[..., str]:
    """Evaluate in a real ``erl`` that has a name, and so a cookie, and listens nowhere."""
    require("OTP 25", shutil.which("erl") is not None)

    def answer(
        expression: str,
        *flags: str,
        home: Path = tmp_path,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        program = f'io:format("answer ~w~n", [{expression}]), halt().'
        named = ("-name", "a@127.0.0.1", "-dist_listen", "false", "-start_epmd", "false")
        ended = subprocess.run(
            ("erl", "-noinput", *named, *flags, "-eval", program),
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "LANG": "C.UTF-8",
                "ERL_CRASH_DUMP_SECONDS": "0",
                **(environment or {}),
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
        if ended.returncode:
            raise AssertionError(ended.stdout + ended.stderr)
        return ended.stdout.partition("answer ")[2].strip()

    return answer
