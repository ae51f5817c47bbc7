"""Running commands that look and end: their steps, their lines, what they leave behind."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from end_to_end.evidence import COMMAND, assert_no_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from end_to_end.machine import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    def of(self, name: str) -> list[dict[str, Any]]:
        """The events called ``name``."""
        return [event for event in self.events if event["event"] == name]

    @property
    def steps(self) -> dict[str, dict[str, Any]]:
        """The steps of a doctor, in their order; each is there once."""
        steps = self.of("step")
        found = {step["step"]: step for step in steps}
        assert len(found) == len(steps)
        return found

    @property
    def failed(self) -> list[str]:
        return [name for name, step in self.steps.items() if step["status"] == "failed"]


def run(here: Machine, *words: str, environment: Mapping[str, str] | None = None) -> Ended:
    """Run ``erlconnect`` here until it ends; it says no secret and leaves no file."""
    before = here.left_over_files()
    ended = subprocess.run(
        [COMMAND, *words],
        env={**os.environ, **here.environment(), **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert_no_secret(ended.stdout + ended.stderr)
    assert here.left_over_files() == before
    return Ended(code=ended.returncode, stdout=ended.stdout, stderr=ended.stderr)


def examined(here: Machine, *words: str, environment: Mapping[str, str] | None = None) -> Ended:
    """Run ``erlconnect doctor --json``."""
    return run(here, "doctor", *words, "--json", environment=environment)
