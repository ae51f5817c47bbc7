"""The child of ``erlconnect shell``: iex or erl, with a home, a cookie and a name for this session.

The name is the same each time, because the session's epmd is its own and every new name would stay
in the remote node's atom table for ever.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from erlconnect.command_line.child_environment import child_environment
from erlconnect.command_line.companion import Child, Companionship, accompany
from erlconnect.command_line.private_home import cookie_file_in, private_home
from erlconnect.command_line.shell_choice import choose_shell
from erlconnect.session.cookies import PASSTHROUGH
from erlconnect.session.slots import session_slot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from erlconnect.command_line.companion_reporting import CompanionReporter
    from erlconnect.session.choices import Choices
    from erlconnect.session.events import Ready

# The shell's node is nobody's to reach but the session's.
_LOOPBACK_ONLY: Final = "-kernel inet_dist_use_interface {127,0,0,1}"


def open_shell(
    choices: Choices,
    environment: Mapping[str, str],
    *,
    iex: bool | None,
    config: Path | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Open a shell in a session of its own; give the exit code."""
    with session_slot(environment) as slot:
        home = private_home(slot.folder, environment)

        async def prepare(ready: Ready, reporter: CompanionReporter) -> Child:
            variables = child_environment(environment, ready)
            variables["ERL_FLAGS"] += f" {_LOOPBACK_ONLY}"
            if ready.cookie_source != PASSTHROUGH:
                variables["HOME"] = str(home)
            words = await choose_shell(variables, lambda: reporter.refusal, iex=iex)
            return Child(words=words, environment=variables)

        return accompany(
            Companionship(
                choices=replace(choices, local_cookie_file=cookie_file_in(home)),
                slot=slot,
                prepare=prepare,
                config=config,
                quiet=quiet,
                verbose=verbose,
            )
        )
