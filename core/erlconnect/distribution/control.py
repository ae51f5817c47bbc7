"""Control messages: what a frame asks the other node to do, and the atoms that it may name.

A relay that only rewrites needs no atom cache, because only new entries carry text. To understand
a message, the cache of its direction is needed: the slots that headers fill and refer to. What
is done with a message is decided in ``guard``.
Source: "Protocol between Connected Nodes", "Distribution Header", OTP's ``dist.h``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from erlconnect.distribution.bounded_terms import TermReader
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.etf import Atom

if TYPE_CHECKING:
    from collections.abc import Sequence


class Operation(IntEnum):
    """The first element of a control message, in every OTP from 23 to 29."""

    LINK = 1
    SEND = 2
    EXIT = 3
    UNLINK = 4
    NODE_LINK = 5
    REG_SEND = 6
    GROUP_LEADER = 7
    EXIT2 = 8
    SEND_TT = 12
    EXIT_TT = 13
    REG_SEND_TT = 16
    EXIT2_TT = 18
    MONITOR_P = 19
    DEMONITOR_P = 20
    MONITOR_P_EXIT = 21
    SEND_SENDER = 22
    SEND_SENDER_TT = 23
    PAYLOAD_EXIT = 24
    PAYLOAD_EXIT_TT = 25
    PAYLOAD_EXIT2 = 26
    PAYLOAD_EXIT2_TT = 27
    PAYLOAD_MONITOR_P_EXIT = 28
    SPAWN_REQUEST = 29
    SPAWN_REQUEST_TT = 30
    SPAWN_REPLY = 31
    SPAWN_REPLY_TT = 32
    ALIAS_SEND = 33
    ALIAS_SEND_TT = 34
    UNLINK_ID = 35
    UNLINK_ID_ACK = 36
    ALTACT_SIG_SEND = 37


SPAWN_REQUESTS: Final = (Operation.SPAWN_REQUEST, Operation.SPAWN_REQUEST_TT)
REGISTERED_SENDS: Final = (Operation.REG_SEND, Operation.REG_SEND_TT)
PROCESS_SENDS: Final = (
    *(Operation.SEND, Operation.SEND_TT, Operation.SEND_SENDER, Operation.SEND_SENDER_TT),
    *(Operation.ALIAS_SEND, Operation.ALIAS_SEND_TT),
)
# The flags of an ALTACT_SIG_SEND: it carries a trace token, its receiver is a name, its signal is
# an exit signal and no message.
_ALTACT_TOKEN: Final = 2
_ALTACT_ALIAS: Final = 4
_ALTACT_NAME: Final = 8
_ALTACT_EXIT: Final = 16
# 8 segments of 256 entries, "Distribution Header": 3 bits and a byte make an index.
_SLOTS: Final = 2048
# The bit that tells a new entry, in each of the 255 half bytes that there may be.
NEW_ENTRY_BITS: Final = int.from_bytes(b"\x88" * 128)


class Header(NamedTuple):
    """A distribution header: where its terms begin, its atoms, and whether it fills slots."""

    terms: int
    atoms: Sequence[Atom | None]
    fills: bool


class ControlMessage(NamedTuple):
    """A control message; ``terms`` is the tuple, ``payload`` where the message behind it begins.

    ``payload`` is -1 where the control message does not end within what is there.
    """

    operation: int
    terms: tuple[Any, ...]
    payload: int


class Addressee(NamedTuple):
    """Where a message goes: a registered name, or a pid or a reference, and from which pid."""

    sender: Any
    name: Any
    process: Any


class AtomCache:
    """The atoms of one direction's slots, as the receiver has them when a frame arrives."""

    def __init__(self) -> None:
        self._slots: list[Atom | None] = [None] * _SLOTS

    def read_header(self, data: bytes | bytearray, start: int, end: int) -> Header:
        """Read the header at ``start`` (the byte with the number of atoms), and fill slots.

        Raises ``RemoteProtocolError`` where it ends beyond its frame.
        """
        if start >= end:
            raise RemoteProtocolError("distribution header: it ends before it begins")
        number = data[start]
        if not number:
            return Header(start + 1, (), fills=False)
        # Half a byte of flags for each atom, and one more that tells whether lengths have 2 bytes.
        position = start + 2 + number // 2
        if position > end:
            raise RemoteProtocolError("distribution header: it ends inside its flags")
        # An even index stands in the low half of its byte, so the whole is a little-endian number.
        flags = int.from_bytes(data[start + 1 : position], "little")
        long_atoms = flags >> 4 * number & 1
        atoms: list[Atom | None] = []
        for index in range(number):
            if position >= end:
                raise RemoteProtocolError("distribution header: it ends inside its references")
            half = flags >> 4 * index & 15
            slot = (half & 7) << 8 | data[position]
            position += 1
            if half & 8:
                position = self._fill(slot, data, position, end, long_atoms)
            atoms.append(self._slots[slot])
        fills = bool(flags & NEW_ENTRY_BITS & (1 << 4 * number) - 1)
        return Header(position, atoms, fills)

    def _fill(self, slot: int, data: bytes | bytearray, at: int, end: int, long_atoms: int) -> int:
        text = at + 1 + long_atoms
        if text > end:
            raise RemoteProtocolError("distribution header: it ends inside a new entry")
        after = text + int.from_bytes(data[at:text], "big")
        if after > end:
            raise RemoteProtocolError("distribution header: it ends inside a new entry")
        self._slots[slot] = Atom(data[text:after].decode("utf-8", "surrogateescape"))
        return after


def read_control(
    data: bytes | bytearray, start: int, end: int, atoms: Sequence[Atom | None] = ()
) -> ControlMessage:
    """Read the control message at ``start``.

    Raises ``RemoteProtocolError`` where it is none. It is always whole in its frame.
    """
    reader = TermReader(data, start, end, atoms)
    terms, payload = reader.read()
    if not isinstance(terms, tuple) or not terms or not isinstance(terms[0], int):
        raise RemoteProtocolError("control message: it is no tuple that begins with a number")
    return ControlMessage(terms[0], terms, payload)


def addressee(message: ControlMessage) -> Addressee | None:
    """Return where a message goes; ``None`` for what is no message to a process."""
    terms = message.terms
    match message.operation:
        case Operation.SEND | Operation.SEND_TT if len(terms) > 2:  # noqa: PLR2004
            return Addressee(None, None, terms[2])
        case Operation.SEND_SENDER | Operation.SEND_SENDER_TT if len(terms) > 2:  # noqa: PLR2004
            return Addressee(terms[1], None, terms[2])
        case Operation.ALIAS_SEND | Operation.ALIAS_SEND_TT if len(terms) > 2:  # noqa: PLR2004
            return Addressee(terms[1], None, terms[2])
        case Operation.REG_SEND | Operation.REG_SEND_TT if len(terms) > 3:  # noqa: PLR2004
            return Addressee(terms[1], terms[3], None)
        case Operation.ALTACT_SIG_SEND if len(terms) > 3:  # noqa: PLR2004
            return _altact_addressee(terms)
    return None


def _altact_addressee(terms: tuple[Any, ...]) -> Addressee | None:
    """``{37, Flags, From, To}``, since OTP 28: sends whose receiver has a priority or a name."""
    flags, sender, receiver = terms[1:4]
    if not isinstance(flags, int) or flags & _ALTACT_EXIT:
        return None
    if flags & _ALTACT_NAME:
        return Addressee(sender, receiver, None)
    return Addressee(sender, None, receiver)
