"""The snippets for CI, run as their runners run them: as scripts, with variables."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from end_to_end.evidence import COMMAND
from end_to_end.machine import fixed, machine
from pages import PROJECT
from world.connected import remote_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode

APP = "app@127.0.0.1"


@pytest.fixture(scope="module")
def remote() -> Iterator[ErlangNode]:
    with remote_node(APP) as node:
        yield node


@pytest.fixture(scope="module")
def here() -> Iterator[Machine]:
    with machine(epmd=False) as here:
        yield here


def read(name: str) -> Any:
    return yaml.safe_load((PROJECT / "packaging" / "ci" / name).read_text())


def script(
    text: str, here: Machine, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a script as runners do: by bash, which stops at the first command that fails."""
    path = f"{COMMAND.parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", text],
        env={**here.environment(), "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def flags(remote: ErlangNode) -> str:
    words = fixed(remote)
    words.remove(APP)
    return " ".join(words)


@pytest.mark.parametrize(
    "case",
    [
        ("rpc", "lists\nsum\n[a, 1]", 70, ""),
        ("rpc", 'lists\nconcat\n["a b", "$HOME"]', 0, '"a b$HOME"'),
        ("eval", "A = 1,\nA + 1", 0, "2"),
        ("rpc", "init\nstop", 77, ""),
    ],
)
def test_the_action(
    remote: ErlangNode,
    here: Machine,
    tmp_path: Path,
    case: tuple[str, str, int, str],
) -> None:
    command, arguments, code, result = case
    action = read("action.yml")
    step = action["runs"]["steps"][1]
    assert set(step["env"]) == {"TARGET", "COMMAND", "ARGUMENTS", "OPTIONS"}
    assert {"target", "command", "arguments", "options"} <= set(action["inputs"])
    output = tmp_path / "output"
    output.touch()
    ended = script(
        step["run"],
        here,
        {
            "TARGET": APP,
            "COMMAND": command,
            "ARGUMENTS": arguments,
            "OPTIONS": flags(remote),
            "GITHUB_OUTPUT": str(output),
        },
    )
    assert ended.returncode == code, ended.stderr
    assert output.read_text() == (f"result={result}\n" if result else "")


def test_the_job(remote: ErlangNode, here: Machine) -> None:
    [line] = read("gitlab.yml")[".erlconnect-rpc"]["script"]
    variables = {
        "ERLCONNECT_TARGET": APP,
        "ERLCONNECT_WORDS": "erlang node",
        "ERLCONNECT_FLAGS": flags(remote),
    }
    ended = script(line, here, variables)
    assert (ended.returncode, ended.stdout) == (0, f"'{APP}'\n"), ended.stderr
