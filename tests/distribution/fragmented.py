"""One message in fragments, with names that become longer and names that become shorter."""

from __future__ import annotations

from distribution import streams, terms
from distribution.reference import Reader, renamed
from distribution.streams import Message, Receiver, Reference, relayed

from erlconnect.distribution.name_mapping import CompiledMapping
from erlconnect.distribution.rewriter import Rewriter

APP, POD = "app@127.0.0.1", "app@pod-0.app.default.svc.cluster.local"
DEV, CALLER = "dev@localhost", "d@e"
NAMES = {APP: POD, POD: APP, DEV: CALLER, CALLER: DEV}
TEXTS = {old.encode(): new.encode() for old, new in NAMES.items()}
TABLE = CompiledMapping(NAMES)
NAME = terms.atom(APP.encode())
CONTROL = b"h\4a\6" + terms.pid(b"R\0") + b"w\0w\1x"
HEADER = streams.references([Reference(0, 7, POD.encode())])
# Longer than what is walked of a first fragment in any case.
LONG = b"l\0\0\0\xc8" + terms.binary(b"." * 90) * 200 + b"j"


def one(frames: list[bytes], table: CompiledMapping = TABLE) -> Message:
    """What the receiver makes of a message after it was relayed."""
    receiver = Receiver()
    receiver.receive(relayed(Rewriter(table), b"".join(frames)))
    assert receiver.unfinished == 0
    (message,) = receiver.messages
    return message


def arrives(payload: bytes, cuts: list[int]) -> Message:
    """Send a payload cut there, and hold what arrives to the renamed original."""
    frames = streams.fragments(5, HEADER, CONTROL, payload, cuts)
    message = one(frames)
    sent = Reader(CONTROL + payload, cached=[POD.encode()]).rest()
    assert message.events == renamed(sent.events, TEXTS)
    return message
