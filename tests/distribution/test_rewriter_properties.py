"""What holds for every conversation: the promise that no term is ever corrupted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from distribution import streams, worlds
from distribution.profile import repeatable
from distribution.reference import renamed
from distribution.streams import Message, Receiver, relayed
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.fragments import ReassemblyTable
from erlconnect.distribution.name_mapping import CompiledMapping
from erlconnect.distribution.rewriter import Rewriter

if TYPE_CHECKING:
    from distribution.worlds import Conversation


def meaning(messages: list[Message]) -> list[tuple[str, object]]:
    return [(message.kind, message.events) for message in messages]


@repeatable
@given(worlds.conversations(), worlds.cuts())
def test_every_split_of_the_stream_gives_the_same_output(
    conversation: Conversation, cuts: list[int]
) -> None:
    rewriter = Rewriter(conversation.table)
    torn = Rewriter(conversation.table)

    assert relayed(torn, conversation.stream, cuts) == relayed(rewriter, conversation.stream)
    assert (torn.frames, torn.rewritten, torn.scanned) == (
        rewriter.frames,
        rewriter.rewritten,
        rewriter.scanned,
    )
    assert rewriter.frames == len(conversation.frames)
    assert rewriter.unparseable == 0


@repeatable
@given(worlds.conversations())
def test_what_passes_at_once_is_what_would_be_sent_anyway(conversation: Conversation) -> None:
    quick, thorough = Rewriter(conversation.table), Rewriter(conversation.table)

    for frame in conversation.frames:
        sent = relayed(thorough, frame)
        passes = quick.passes(bytearray(frame), len(frame))
        assert (frame if passes else relayed(quick, frame)) == sent
    assert (quick.frames, quick.rewritten) == (thorough.frames, thorough.rewritten)


@repeatable
@given(worlds.conversations())
def test_atoms_are_renamed_and_nothing_else(conversation: Conversation) -> None:
    sent = Receiver().receive(conversation.stream)
    got = Receiver().receive(relayed(Rewriter(conversation.table), conversation.stream))

    expected = [(m.kind, renamed(m.events, conversation.texts)) for m in sent]
    assert meaning(got) == expected


@repeatable
@given(worlds.conversations())
def test_there_and_back_is_the_identity(conversation: Conversation) -> None:
    there = relayed(Rewriter(conversation.table), conversation.stream)
    back = relayed(Rewriter(conversation.back), there)

    sent = Receiver().receive(conversation.stream)
    assert meaning(Receiver().receive(back)) == meaning(sent)


@repeatable
@given(worlds.conversations(fragmented=False))
def test_whole_messages_come_back_byte_by_byte(conversation: Conversation) -> None:
    there = relayed(Rewriter(conversation.table), conversation.stream)

    assert relayed(Rewriter(conversation.back), there) == conversation.stream


@repeatable
@given(worlds.conversations())
def test_sizes_of_funs_are_exact_or_a_lower_bound(conversation: Conversation) -> None:
    checked = replace(conversation, fun_sizes=True)
    for message in Receiver().receive(relayed(Rewriter(checked.table), checked.stream)):
        for fun in message.funs:
            last = min(end for end in message.ends if end > fun.start)
            if fun.end <= last:
                assert fun.exact
            assert fun.start + 1 + fun.size <= fun.end


@repeatable
@given(worlds.conversations(), st.sampled_from([0, 65_536, 140_000]))
def test_a_limit_on_what_is_undecided_changes_nothing(
    conversation: Conversation, limit: int
) -> None:
    limited = Rewriter(conversation.table)
    limited._fragments._messages = ReassemblyTable(conversation.table, max_deferred=limit)

    got = Receiver().receive(relayed(limited, conversation.stream))
    free = Receiver().receive(relayed(Rewriter(conversation.table), conversation.stream))
    assert meaning(got) == meaning(free)


@repeatable
@given(worlds.conversations(), worlds.cuts())
def test_without_a_name_terms_keep_their_bytes(conversation: Conversation, cuts: list[int]) -> None:
    """Sizes of funs too, where no name can become shorter."""
    names = {"nobody@nowhere": "nowhere@nobody", "nowhere@nobody": "nobody@nowhere"}
    rewriter = Rewriter(CompiledMapping(names))

    got = relayed(rewriter, conversation.stream, cuts)
    assert bodies_by_message(got) == bodies_by_message(conversation.stream)
    assert len(got) == len(conversation.stream)
    assert (rewriter.rewritten, rewriter.scanned) == (0, 0)


@repeatable
@given(worlds.conversations(fragmented=False), worlds.cuts())
def test_without_a_name_whole_frames_are_not_touched(
    conversation: Conversation, cuts: list[int]
) -> None:
    table = CompiledMapping({"nobody@nowhere": "n@n", "n@n": "nobody@nowhere"})

    assert relayed(Rewriter(table), conversation.stream, cuts) == conversation.stream


def bodies_by_message(stream: bytes) -> dict[bytes, bytes]:
    """The bytes of each fragmented message put together, and whole messages one by one."""
    found: dict[bytes, bytes] = {}
    for number, body in enumerate(streams.bodies(stream)):
        fragment = body[:2] in (b"\x83E", b"\x83F")
        key = body[2:10] if fragment else b"whole %d" % number
        found[key] = found.get(key, b"") + (body[18:] if fragment else body)
    return found
