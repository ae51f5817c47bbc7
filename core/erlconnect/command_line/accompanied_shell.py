"""The child of ``erlconnect shell``: iex or erl, with a home, a cookie and a name for this session.

The name is the same each time, because the session's epmd is its own and every new name would stay
in the remote node's atom table for ever.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from erlconnect.command_line.child_environment import child_environment
from erlconnect.command_line.companion import Child, accompany
from erlconnect.command_line.private_home import cookie_file_in, private_home
from erlconnect.command_line.shell_choice import choose_shell
from erlconnect.cookie_file import default_cookie_file
from erlconnect.session.cookies import PASSTHROUGH
from erlconnect.session.events import Warned
from erlconnect.session.slots import session_slot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlconnect.command_line.companion import Standing, Talk
    from erlconnect.command_line.flags import Flags

# The shell's node is nobody's to reach but the session's.
_LOOPBACK_ONLY: Final = "-kernel inet_dist_use_interface {127,0,0,1}"


def open_shell(
    target: str, flags: Flags, talk: Talk, environment: Mapping[str, str], *, iex: bool | None
) -> int:
    """Open a shell in a session of its own; give the exit code."""
    with session_slot(environment) as slot:
        home = private_home(slot.folder, environment)

        async def prepare(standing: Standing) -> Child:
            shared = standing.ready.aliases[0].cookie_source == PASSTHROUGH
            cookie_file = default_cookie_file() if shared else cookie_file_in(home)
            variables = child_environment(environment, standing.ready, cookie_file)
            variables["ERL_FLAGS"] += f" {_LOOPBACK_ONLY}"
            if not shared:
                variables["HOME"] = str(home)
            reporter = standing.reporter
            words = await choose_shell(
                variables,
                lambda: reporter.refusal,
                lambda message: reporter.report(Warned(message=message)),
                iex=iex,
            )
            return Child(words=words, environment=variables)

        flags = replace(flags, local_cookie_file=cookie_file_in(home))
        return accompany(target, flags, slot, talk, prepare)
