"""The guard of one direction: which frames it has to look at, and what is done with those.

Nearly all frames go by with one look at their first bytes. A header that fills no slot, together
with the operation behind it, is remembered once it was read: either no rule asks about such a
message at all, or it is one to a process, and then the beginning of its payload tells. A frame that
is refused takes the new entries of its header with it, which its sender believes to be known: they
go on in a frame that does nothing.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from erlconnect.distribution.bounded_terms import decode_prefix
from erlconnect.distribution.control import (
    PROCESS_SENDS,
    REGISTERED_SENDS,
    AtomCache,
    Header,
    Operation,
    read_control,
)
from erlconnect.distribution.edits import apply_splices
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.etf import Atom, Pid
from erlconnect.distribution.frames import (
    DIST_HEADER,
    FRAG_HEADER,
    FRAGMENT_HEAD_SIZE,
    HEAD_SIZE,
    LENGTH_SIZE,
    PASS_THROUGH,
    framed,
)
from erlconnect.guard.answers import encode_term
from erlconnect.guard.malformed import check_terms, first_suspect
from erlconnect.guard.message import Message, Refused
from erlconnect.guard.rules import TERMS_MALFORMED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from erlconnect.distribution.control import ControlMessage
    from erlconnect.guard.message import Decision, Rewritten

    Decide = Callable[[Message], Decision]
    Tell = Callable[[Refused | Rewritten], None]

_length_and_kind = struct.Struct(">IH").unpack_from
_fragment_head = struct.Struct(">IHQQ").unpack_from
_ALWAYS_PASS: Final = frozenset(
    {
        *(Operation.LINK, Operation.EXIT, Operation.UNLINK, Operation.GROUP_LEADER),
        *(Operation.EXIT_TT, Operation.MONITOR_P, Operation.DEMONITOR_P),
        *(Operation.MONITOR_P_EXIT, Operation.PAYLOAD_EXIT, Operation.PAYLOAD_EXIT_TT),
        *(Operation.PAYLOAD_MONITOR_P_EXIT, Operation.SPAWN_REPLY, Operation.SPAWN_REPLY_TT),
        *(Operation.UNLINK_ID, Operation.UNLINK_ID_ACK),
    }
)
"""Operations that no rule asks about, whatever they carry."""
_OPERATIONS: Final = frozenset(int(operation) for operation in Operation)
_SMALL_TUPLE: Final = 104
_LARGE_TUPLE: Final = 105
_TUPLE_TAGS: Final = (_SMALL_TUPLE, _LARGE_TUPLE)
_ATOM_TAGS: Final = (100, 115, 118, 119)
_CACHED_ATOM: Final = 82
_NO_FRAME: Final = b"\0\0"  # no atoms, and then a tag that no term has
# In fewer bytes it is not worth looking for frames that are alike, and not in too many at once.
_MUCH: Final = 4096
_AHEAD: Final = 8
_AT_ONCE: Final = 512
# So far from its beginning a large frame is searched for what begins malformed terms, and so many
# bytes of small ones at once.
_LOOK: Final = 4096
_LOOK_AHEAD: Final = 32768
_MOST_KNOWN: Final = 4096
_MOST_REFUSED: Final = 65536
_OPERATION_SIZE: Final = 4  # a small tuple, its size, a small integer
# Behind the number of atoms: flags and indices, and then the operation.
_KEY_ENDS: Final = [HEAD_SIZE + 1 + _OPERATION_SIZE] + [
    HEAD_SIZE + 2 + number // 2 + number + _OPERATION_SIZE for number in range(1, 256)
]


class _Layout:
    """How a message to a process or name looks behind its operation, if all its atoms are cached.

    ``columns`` is where its tags are. With a payload, the last two are those of the payload and of
    its first element, if it is a small tuple.
    """

    __slots__ = ("_payload", "_tags", "accepted", "columns", "size", "unpack")

    def __init__(self, form: str, columns: Sequence[int], *tags: bytes, payload: bool) -> None:
        packed = struct.Struct(f">{form}{'BxB' if payload else ''}")
        self.unpack = packed.unpack_from
        self.size = packed.size
        self.columns = (*columns, *((packed.size - 3, packed.size - 1) if payload else ()))
        self.accepted: set[tuple[bytes | int, ...]] = set()
        """Tags that were seen so and tell that the header names all atoms that matter."""
        self._tags = tags
        self._payload = payload

    def accepts(self, seen: tuple[bytes | int, ...]) -> bool:
        """Return whether no atom beside those of the header tells what the message is."""
        count = len(self._tags)
        if seen[:count] != self._tags:
            return False
        if self._payload:
            payload, first = seen[count:]
            if payload == _LARGE_TUPLE or (payload == _SMALL_TUPLE and first in _ATOM_TAGS):
                return False
        self.accepted.add(seen)
        return True


_PROCESS, _NAME, _ALIAS = b"XR", b"R", b"Z\x00\x03R"
_LAYOUTS: Final[dict[int, _Layout]] = {
    Operation.SEND: _Layout("sx2s13x", (0, 2, 3), _NAME, _PROCESS, payload=True),
    Operation.SEND_SENDER: _Layout("2s13x2s13x", (0, 1, 15, 16), _PROCESS, _PROCESS, payload=True),
    Operation.ALIAS_SEND: _Layout(
        "2s13x4s17x", (0, 1, 15, 16, 17, 18), _PROCESS, _ALIAS, payload=True
    ),
    Operation.REG_SEND: _Layout("2s13xsxsx", (0, 1, 15, 17), _PROCESS, _NAME, _NAME, payload=False),
}
_ANY_LAYOUT: Final = _Layout("", (), payload=False)
"""That of a message of which nothing but its header and operation matters."""
_ANY_LAYOUT.accepted.add(())


class _Known:
    """A header and operation whose messages no rule asks about, if the tags behind them match."""

    __slots__ = ("accepted", "columns", "key", "layout", "needed", "offset", "unpack")

    def __init__(self, key: bytes, layout: _Layout) -> None:
        self.key = key
        self.layout = layout
        self.unpack = layout.unpack
        self.accepted = layout.accepted
        self.offset = len(key)
        self.needed = len(key) + layout.size
        told = HEAD_SIZE + len(key)
        self.columns = (*range(told), *(told + column for column in layout.columns))


_NOTHING: Final = _Known(_NO_FRAME, _ANY_LAYOUT)


class Examined(NamedTuple):
    """The result for a frame. ``frame`` is ``None`` to send it unchanged, empty to send nothing.

    ``answer`` goes back to its sender.
    """

    frame: bytes | None
    answer: bytes | None


_PASSES: Final = Examined(None, None)


class FrameGuard:
    """Looks at the frames of one direction in their order; one thread uses it.

    ``triggers`` are the atoms with which a message to a process has to begin, for the rules to ask
    about it. ``names`` are the registered names that they ask about; ``None`` for all. ``header``
    says whether the link's frames have one.
    """

    def __init__(
        self,
        decide: Decide,
        *,
        triggers: Sequence[str],
        tell: Tell,
        names: Sequence[str] | None = None,
        header: bool = True,
    ) -> None:
        self._decide = decide
        self._triggers = frozenset(triggers)
        self._names = names if names is None else frozenset(names)
        self._tell = tell
        self._header = header
        self._cache = AtomCache()
        self._known: dict[bytes, _Known] = {}
        self._last = _NOTHING
        """The entry of ``_known`` that matched last; tried first, as messages repeat."""
        self.dropped: set[int] = set()
        """Sequence numbers of refused messages whose later fragments are still to come."""
        self.refused = 0
        """The number of messages that were refused, or changed and reported."""
        self.unknown = 0
        """The number of control messages with an unknown operation; they pass."""

    def passes(self, buffer: bytearray, position: int, end: int) -> bool:
        """Return whether the whole message in ``buffer[position:end]`` is of no interest."""
        ahead = min(end, position + _LOOK)
        if first_suspect(buffer, position, ahead) < ahead:
            return False
        last, start = self._last, position + HEAD_SIZE
        if (
            buffer.startswith(last.key, start)
            and start + last.needed <= end
            and last.unpack(buffer, start + last.offset) in last.accepted
        ):
            return True
        return self._goes_by(buffer, position, end)

    def first_of_interest(self, buffer: bytearray, position: int, end: int) -> int:
        """Return where the first frame that has to be looked at begins; ``end`` where none does.

        ``buffer[position:end]`` holds whole frames that are no fragments.
        """
        # Names of its own, because this runs for every small message.
        head, whole, startswith = _length_and_kind, DIST_HEADER, buffer.startswith
        last, far, previous = self._last, end - _MUCH, -1
        key, unpack, accepted = last.key, last.unpack, last.accepted
        offset, needed = last.offset, last.needed
        looked, suspect = position, end
        while position + HEAD_SIZE <= end:
            length, kind = head(buffer, position)
            start = position + HEAD_SIZE
            after = position + LENGTH_SIZE + length
            if after > looked:
                ahead = min(end, position + (_LOOK if length > _LOOK else _LOOK_AHEAD))
                suspect = first_suspect(buffer, position, ahead)
                suspect = end if suspect == ahead else suspect
                looked = max(after, ahead)
            if after > suspect:
                return position
            if (
                kind == whole
                and startswith(key, start)
                and start + needed <= after
                and unpack(buffer, start + offset) in accepted
            ):
                if length == previous and position < far:
                    count = _alike(buffer, position, min(looked, suspect), last.columns)
                    position += count * (LENGTH_SIZE + length)
                    continue
            elif not self._goes_by(buffer, position, after):
                return position
            elif last is not self._last:
                last = self._last
                key, unpack, accepted = last.key, last.unpack, last.accepted
                offset, needed = last.offset, last.needed
            previous = length
            position = after
        return end

    def examine(self, buffer: bytearray, position: int, after: int) -> Examined:
        """Decide about a whole frame, which may be the first of several fragments.

        Raises ``RemoteProtocolError`` where it is no message.
        """
        start = position + LENGTH_SIZE
        if start == after:
            return _PASSES
        if buffer[start] == PASS_THROUGH:
            return self._message(buffer, start, after, Header(start + 2, (), fills=False))
        _, kind = _length_and_kind(buffer, position)
        first = kind == FRAG_HEADER
        # A first fragment has its sequence and number (8 bytes each) before the number of atoms.
        head = position + (FRAGMENT_HEAD_SIZE if first else HEAD_SIZE)
        if first:
            # A first fragment begins a new message, whatever became of an earlier one of this
            # number.
            self.dropped.discard(_fragment_head(buffer, position)[2])
        header = self._cache.read_header(buffer, head, after)
        # A known header names its atoms by slot; a new entry may have changed what a slot means.
        if header.fills:
            self._known.clear()
            self._last = _NOTHING
        return self._message(buffer, start, after, header, first=first)

    def drops(self, sequence: int, *, last: bool) -> bool:
        """Return whether a later fragment belongs to a message that was refused."""
        dropped = sequence in self.dropped
        if dropped and last:
            self.dropped.discard(sequence)
        return dropped

    def _goes_by(self, buffer: bytearray, position: int, after: int) -> bool:
        """Return whether the rules need not see a frame; remember what tells so."""
        start = position + HEAD_SIZE
        if start >= after:
            return start > after
        if buffer[start - 2] != 131:  # noqa: PLR2004 - the version of a header
            return self._passes_through(buffer, start, after)
        key = bytes(buffer[start : position + _KEY_ENDS[buffer[start]]])
        known = self._known.get(key)
        if known is None:
            return self._learn(buffer, start, after, key)
        self._last = known
        if start + known.needed <= after:
            seen = known.unpack(buffer, start + known.offset)
            if seen in known.accepted or known.layout.accepts(seen):
                return True
        return self._learn(buffer, start, after, key)

    def _learn(self, buffer: bytearray, start: int, after: int, key: bytes) -> bool:
        """Read a frame whose header may be one that is not known yet."""
        if _fills(buffer, start):
            return False
        header = self._cache.read_header(buffer, start, after)
        control = read_control(buffer, header.terms, after, header.atoms)
        if not self._is_plain(buffer, after, header, control, control.payload):
            return False
        regular = key[-4:] == bytes((104, len(control.terms), 97, control.operation))
        if regular and header.terms + _OPERATION_SIZE == start + len(key) <= after:
            self._remember(key, control, header)
        return True

    def _remember(self, key: bytes, control: ControlMessage, header: Header) -> None:
        """Remember a header and an operation, if they tell that no rule asks about the message."""
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        atoms = set(filter(None, header.atoms))
        named = control.operation == Operation.REG_SEND
        if control.operation in _ALWAYS_PASS:
            self._known[key] = _Known(key, _ANY_LAYOUT)
        elif control.operation in _LAYOUTS and not atoms & (
            (atoms if self._names is None else self._names) if named else self._triggers
        ):
            self._known[key] = _Known(key, _LAYOUTS[control.operation])

    def _passes_through(self, buffer: bytearray, start: int, after: int) -> bool:
        if start == after or buffer[start - 2] != PASS_THROUGH:
            return False
        control = read_control(buffer, start, after)
        header = Header(start, (), fills=False)
        return self._is_plain(buffer, after, header, control, control.payload + 1)

    def _is_plain(
        self, data: bytearray, after: int, header: Header, control: ControlMessage, payload: int
    ) -> bool:
        """Return whether no rule asks about a message."""
        if control.operation in _ALWAYS_PASS:
            return True
        if control.operation in REGISTERED_SENDS and self._names is not None:
            return len(control.terms) > 3 and control.terms[3] not in self._names  # noqa: PLR2004
        if control.operation not in PROCESS_SENDS or not 0 < payload < after:
            return False
        tag = data[payload]
        if tag not in _TUPLE_TAGS:
            return True
        first = payload + (2 if tag == _TUPLE_TAGS[0] else 5)
        if first >= after or data[first] not in (_CACHED_ATOM, *_ATOM_TAGS):
            return True
        head = decode_prefix(data, first, after, header.atoms)[0]
        return isinstance(head, Atom) and head not in self._triggers

    def _message(
        self, data: bytearray, start: int, after: int, header: Header, *, first: bool = False
    ) -> Examined:
        bare = data[start] == PASS_THROUGH
        self._check(data, after, header, bare=bare)
        control = read_control(data, header.terms, after, header.atoms)
        payload = control.payload
        # Behind 112 each term has a version byte of its own.
        if bare and 0 < payload < after:
            payload += 1
        # A later release may add operations for flags that both nodes set: never refuse those.
        if control.operation not in _OPERATIONS:
            self.unknown += 1
            return _PASSES
        if self._is_plain(data, after, header, control, payload):
            return _PASSES
        message = Message(
            data, after, control=control, payload=payload, atoms=header.atoms, whole=not first
        )
        decision = self._decide(message)
        if decision is None:
            return _PASSES
        if isinstance(decision, Refused):
            self._count(decision)
            if first:
                self._drop(_fragment_head(data, start - LENGTH_SIZE)[2])
            answer = decision.answer
            # Later frames refer to these entries: without them the receiver would name wrong atoms.
            frame = _cache_carrier(data, start, header, control) if header.fills else b""
            return Examined(frame, answer.frame(header=self._header) if answer else None)
        if decision.told:
            self._count(decision)
        return Examined(framed(apply_splices(data, start, after, sorted(decision.edits))), None)

    def _check(self, data: bytearray, after: int, header: Header, *, bare: bool) -> None:
        """Raise ``RemoteProtocolError`` for terms that no decoder should get."""
        ahead = min(after, header.terms + _LOOK)
        if first_suspect(data, header.terms, ahead) == ahead:
            return
        try:
            check_terms(data, header.terms, after, header.atoms, versions=bare)
        except RemoteProtocolError:
            self._count(Refused(rule=TERMS_MALFORMED, what=TERMS_MALFORMED.what))
            raise

    def _count(self, decision: Refused | Rewritten) -> None:
        self.refused += 1
        self._tell(decision)

    def _drop(self, sequence: int) -> None:
        # A peer that never ends its fragments must not make this grow without bound.
        if len(self.dropped) >= _MOST_REFUSED:
            self.dropped.clear()
        self.dropped.add(sequence)


def _alike(buffer: bytearray, start: int, end: int, columns: Sequence[int]) -> int:
    """Return how many frames in a row of one size look like the first, which is of no interest.

    They have the same ``columns``: size, header, operation and tags. What else they hold does not
    matter.
    """
    length: int = _length_and_kind(buffer, start)[0]
    size = LENGTH_SIZE + length
    count = min((end - start) // size, _AT_ONCE)
    if count <= _AHEAD or _length_and_kind(buffer, start + _AHEAD * size) != (length, DIST_HEADER):
        return 1
    # A slice with a step compares one byte of many frames without a Python loop over them.
    for at in columns:
        column = buffer[start + at : start + count * size : size]
        count -= len(column.lstrip(column[:1]))
        if count <= 1:
            return 1
    return count


def _fills(buffer: bytearray, start: int) -> bool:
    """Return whether the header at ``start`` has new entries."""
    number = buffer[start]
    if not number:
        return False
    flags = buffer[start + 1 : start + 2 + number // 2]
    new = int.from_bytes(flags, "little") & int.from_bytes(b"\x88" * len(flags))
    return bool(new & (1 << 4 * number) - 1)


def _cache_carrier(data: bytearray, start: int, header: Header, control: ControlMessage) -> bytes:
    """Return a frame with the new entries of a refused one, for a name that nobody can have.

    ``undefined`` cannot be registered, so that the message is dropped on arrival.
    """
    first = data[start + 1] == FRAG_HEADER & 255
    entries = bytes(data[start + (FRAGMENT_HEAD_SIZE - LENGTH_SIZE if first else 2) : header.terms])
    sender = next((term for term in control.terms if isinstance(term, Pid)), None)
    if sender is None:
        return b""
    send = (int(Operation.REG_SEND), sender, Atom(""), Atom("undefined"))
    return framed(b"\x83D" + entries + encode_term(send) + encode_term([]))
