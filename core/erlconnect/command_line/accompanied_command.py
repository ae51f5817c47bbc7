"""The child of ``erlconnect run``: the user's program, with the variables that lead to the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.command_line.child_environment import child_environment, cookie_variables
from erlconnect.command_line.companion import Child, accompany
from erlconnect.cookie_file import local_cookie_file
from erlconnect.session.cookies import local_cookie
from erlconnect.session.slots import session_slot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect.command_line.choosing import Flags
    from erlconnect.command_line.companion import Standing, Talk


def run_command(
    words: Sequence[str],
    target: str,
    flags: Flags,
    talk: Talk,
    environment: Mapping[str, str],
    *,
    export_cookie: bool,
) -> int:
    """Run ``words`` in a session of their own; give the exit code."""

    async def prepare(standing: Standing) -> Child:
        cookie_file = local_cookie_file(standing.choices.local_cookie_file)
        variables = child_environment(environment, standing.ready, cookie_file)
        if export_cookie:
            cookie = local_cookie(cookie_file).reveal()
            variables |= cookie_variables(standing.ready, cookie)
        return Child(words=words, environment=variables)

    with session_slot(environment) as slot:
        return accompany(target, flags, slot, talk, prepare)
