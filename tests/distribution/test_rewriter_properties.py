"""What holds for every conversation: the promise that no term is ever corrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distribution import worlds
from distribution.profile import repeatable
from distribution.reference import renamed
from distribution.streams import Message, Receiver, relayed
from hypothesis import given

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
    assert (torn.frames, torn.rewritten, torn.walked) == (
        rewriter.frames,
        rewriter.rewritten,
        rewriter.walked,
    )
    assert rewriter.frames == len(conversation.frames)
    assert rewriter.lost == 0


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
    for message in Receiver().receive(relayed(Rewriter(conversation.table), conversation.stream)):
        for fun in message.funs:
            last = min(end for end in message.ends if end > fun.start)
            if fun.end <= last:
                assert fun.exact
            assert fun.start + 1 + fun.size <= fun.end
