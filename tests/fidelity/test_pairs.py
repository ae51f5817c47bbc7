"""The proofs of the folder ``end_to_end``, for every pair of releases that can connect.

They are the same functions: only the nodes are others.
"""
# ruff: noqa: F401 - pytest collects what is imported

from __future__ import annotations

from typing import TYPE_CHECKING

from end_to_end.test_calls import (
    test_a_file_is_read_through_a_remote_pid,
    test_a_link_carries_reasons_with_pids_of_both_sides,
    test_a_monitor_carries_reasons_with_pids_of_both_sides,
    test_a_remote_process_is_traced,
    test_a_server_is_called,
    test_a_trace_token_goes_with_a_message_and_comes_back,
    test_an_exception_comes_back_with_its_names,
    test_an_exit_signal_kills_there,
    test_code_is_loaded_and_runs,
    test_each_node_knows_the_other_by_the_names_that_link_up_told,
    test_funs_travel_with_nodes_and_pids_in_their_environment,
    test_processes_are_spawned_in_every_way,
    test_text_is_printed_where_the_group_leader_is,
    test_the_remote_node_calls_the_local_one,
    test_the_remote_node_has_the_alias_in_every_answer,
)
from end_to_end.test_calls_large import (
    test_a_binary_of_64_megabytes_goes_both_ways,
    test_a_large_map_keeps_its_keys,
    test_a_term_of_several_megabytes_is_made_of_everything,
    test_bytes_arrive_as_they_were_made,
    test_names_arrive_behind_any_number_of_other_atoms,
    test_ten_thousand_atoms_push_each_other_out_of_the_cache,
    test_terms_of_every_shape_keep_it,
    test_what_only_looks_like_a_name_is_not_touched,
    test_what_only_looks_like_a_name_is_not_touched_between_names,
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
