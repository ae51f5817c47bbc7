"""The child of ``erlconnect run``: the user's program, with the variables that lead to the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.command_line.child_environment import child_environment, cookie_variables
from erlconnect.command_line.companion import Child, Companionship, accompany
from erlconnect.cookie_file import local_cookie_file
from erlconnect.session.cookies import local_cookie
from erlconnect.session.slots import session_slot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from erlconnect.command_line.companion_reporting import CompanionReporter
    from erlconnect.session.choices import Choices
    from erlconnect.session.events import Ready


def run_command(
    words: Sequence[str],
    choices: Choices,
    environment: Mapping[str, str],
    *,
    export_cookie: bool,
    config: Path | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Run ``words`` in a session of their own; give the exit code."""
    cookie_file = local_cookie_file(choices.local_cookie_file)

    async def prepare(ready: Ready, _reporter: CompanionReporter) -> Child:
        variables = child_environment(environment, ready)
        variables["ERLCONNECT_COOKIE_FILE"] = str(cookie_file)
        if export_cookie:
            variables |= cookie_variables(ready, local_cookie(cookie_file).reveal())
        return Child(words=words, environment=variables)

    with session_slot(environment) as slot:
        return accompany(
            Companionship(
                choices=choices,
                slot=slot,
                prepare=prepare,
                config=config,
                quiet=quiet,
                verbose=verbose,
            )
        )
