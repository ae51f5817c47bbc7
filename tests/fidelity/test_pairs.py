"""The proofs of the folder ``end_to_end``, for every pair of releases that can connect.

They are the same functions: only the nodes are others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fidelity.pairs import Pair


def test_a_process_alias_receives_until_it_is_taken_back(pair: Pair) -> None:
    """OTP 24 brought them; OTP 23 answers as it does without a session."""
    if pair.local == "23":
        assert pair.world.call("catch erlang:alias().").startswith("{'EXIT',{undef,")
        return
    seen = pair.world.call("calls:aliased(Alias).")
    if pair.remote == "23":
        assert seen.startswith("{nothing,{badarg,")
    else:
        assert seen == "{'app@127.0.0.1',normal,dropped}"
