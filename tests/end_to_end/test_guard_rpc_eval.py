"""``elixir --rpc-eval``, as the script of a release calls its node, through a session."""

from __future__ import annotations

import os
import subprocess

import pytest
from end_to_end.remote_shells import SECONDS, Reach, Shell, through


def rpc_eval(reach: Reach, code: str) -> subprocess.CompletedProcess[str]:
    words = reach.command
    command = [
        *words[: words.index("iex")],
        *("elixir", "--name", "rpc@127.0.0.1", "--cookie", reach.cookie),
        *("--rpc-eval", reach.node, code),
    ]
    return subprocess.run(
        command,
        env={**os.environ, **reach.environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize("release", ["25", "27", "29"])
def test_code_that_stops_the_node_is_refused(release: str) -> None:
    with through(Shell(program="iex", local=release, remote=release)) as reach:
        assert rpc_eval(reach, "IO.puts(17 * 3)").stdout.strip() == "51"
        ran = rpc_eval(reach, "System.halt()")
        assert ran.returncode != 0
        assert "refused_by_erlconnect" in ran.stdout + ran.stderr
        assert reach.lives
        assert reach.session
        assert reach.session.wait_event("refused")["what"] == "System:halt/0"


@pytest.mark.parametrize("release", ["25", "27", "29"])
def test_without_the_rule_it_stops_it(release: str) -> None:
    shell = Shell(program="iex", local=release, remote=release)
    with through(shell, "--allow-stop") as reach:
        rpc_eval(reach, "System.halt()")
        reach.remote.process.wait(SECONDS)
