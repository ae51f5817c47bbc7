"""What fragments are proved by, for every pair of releases, with names that become shorter.

``test_pairs`` has those that become longer on the way out; funs that lose bytes are others.
"""
# ruff: noqa: F401 - pytest collects what is imported

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from end_to_end.test_calls_large import (
    test_a_term_of_several_megabytes_is_made_of_everything,
    test_names_arrive_behind_any_number_of_other_atoms,
    test_terms_of_every_shape_keep_it,
)
from end_to_end.test_fragments import (
    test_a_fun_may_enclose_more_than_a_fragment,
    test_a_fun_may_stand_at_every_offset_before_a_border,
    test_a_fun_of_a_fragmented_message_can_be_called_there,
    test_a_name_may_begin_at_every_offset_before_a_border,
    test_an_exit_reason_may_have_many_fragments,
    test_eight_senders_interleave_their_fragments,
    test_megabytes_of_names_hold_whole,
    test_names_stand_before_between_and_behind_large_binaries,
)
from fidelity.pairs import PAIRS, paired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.connected import Connected

OPTIONS = ("--as", "an-application-with-a-long-alias", "--caller-name", "d@x")


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def world(request: pytest.FixtureRequest) -> Iterator[Connected]:
    local, remote = request.param
    with paired(local, remote, *OPTIONS, remote_name="b@c") as pair:
        yield pair.world
