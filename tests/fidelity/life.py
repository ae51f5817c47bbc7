"""Local nodes of a session that lives for long, and what they see and do in that time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from world.session import ErlconnectSession

ALIAS: Final = "'app@127.0.0.1'"
CONNECT: Final = f"net_kernel:connect_node({ALIAS})."
WATCH: Final = f"true = net_kernel:connect_node({ALIAS}), monitor_node({ALIAS}, true)."
DOWN: Final = "receive {nodedown, _} -> down after 30000 -> still_up end."
STILL_UP: Final = "receive {nodedown, _} -> down after 0 -> still_up end."
# What a program does that does not look at what its sends give: Erlang dials for each.
DIAL_ALL_THE_TIME: Final = f"""
    Until = erlang:monotonic_time(millisecond) + 10000,
    (fun Dial(Times) ->
        false = net_kernel:connect_node({ALIAS}),
        case erlang:monotonic_time(millisecond) < Until of
            true -> Dial(Times + 1);
            false -> Times
        end
    end)(1).
"""


def told(session: ErlconnectSession, *events: str) -> list[str]:
    """The names of the events so far, or of those of some kinds."""
    return [one["event"] for one in session.events if not events or one["event"] in events]
