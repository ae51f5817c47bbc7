"""Names of every kind and equal ones, and floods, for every pair of releases that can connect.

They are the functions of the folder ``end_to_end``: only the releases are others.
"""
# ruff: noqa: F401 - pytest collects what is imported

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from end_to_end.test_calls_over_time import (
    test_a_link_can_come_again_at_once,
    test_a_name_that_is_still_connected_is_taken_over,
    test_nodes_that_share_a_cookie_check_each_other,
)
from end_to_end.test_failures_of_peers import (
    test_an_allow_list_is_named_and_a_caller_name_gets_through,
)
from end_to_end.test_failures_of_targets import (
    test_a_node_that_dies_in_the_middle_of_a_large_message_and_comes_back,
)
from end_to_end.test_memory import test_two_opposed_floods_of_a_gigabyte
from end_to_end.test_names import (
    test_a_node_without_a_name_gets_one_from_the_remote_node,
    test_a_short_named_node_is_called_after_its_machine,
    test_long_short_and_ipv6_nodes_reach_it_at_the_same_time,
    test_the_caller_name_that_was_asked_for_is_the_one_seen,
)
from end_to_end.test_names_alike import (
    test_one_node_reaches_one_node_through_two_sessions,
    test_pids_of_a_third_node_here_pass_and_come_back,
    test_pids_of_a_third_node_of_the_cluster_pass_and_come_back,
    test_the_local_name_and_the_caller_name_change_places,
    test_the_real_name_and_the_alias_change_places,
    test_the_remote_node_may_have_the_local_node_s_name,
    test_two_machines_with_nodes_of_one_name_reach_a_node_at_the_same_time,
)
from fidelity.pairs import PAIRS
from world.usual import usually

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True, params=PAIRS, ids="-".join)
def _releases(request: pytest.FixtureRequest) -> Iterator[None]:
    with usually(*request.param):
        yield
