"""Any bytes at all through a rewriter: a RemoteProtocolError or nothing, the same in every split.

Half of the input is framed first, or hardly any would get past the length of the first frame.
"""

from __future__ import annotations

from fuzz_input import InputReader

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.name_mapping import CompiledMapping, inverse, permutation
from erlconnect.distribution.rewriter import Rewriter

LONG = "-app@pod-0.app.default.svc.cluster.local-0000"
NAMES = permutation([("app@127.0.0.1", LONG[1:]), ("d@e", LONG)])
TABLES = [CompiledMapping(NAMES), CompiledMapping(inverse(NAMES)), CompiledMapping({})]
TABLES += [
    CompiledMapping(NAMES, fun_sizes=False),
    CompiledMapping(inverse(NAMES), fun_sizes=False),
]
KINDS = [b"\x83D", b"\x83E\0\0\0\0\0\0\0", b"\x83F\0\0\0\0\0\0\0", b"p\x83", b""]
TOKENS = [bytes([len(name)]) + name.encode() for name in NAMES]
TOKENS += [b"w" + token for token in TOKENS] + [b"v\0" + token for token in TOKENS]
TOKENS += [b"h\2", b"l\0\0\0\2", b"m\0\0\0\x20", b"XR\0", b"p\0\0\0\x40" + bytes(25), b"\0", b"\1"]


def outcome(table: CompiledMapping, stream: bytes, cuts: list[int]) -> bytes | None:
    """All that comes out, as a relay feeds it; of several errors the split decides the first."""
    rewriter = Rewriter(table, max_frame=65536)
    buffer = bytearray()
    out = b""
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        buffer = buffer + stream[begin:end]
        try:
            taken, segments = rewriter.process(buffer, 0, len(buffer))
        except RemoteProtocolError:
            return None
        out += b"".join(segments)
        buffer = bytearray(buffer[taken:])
    return out


def framed(reader: InputReader) -> bytes:
    """Bodies with right lengths, full of what the rewriter looks for."""
    body = KINDS[reader.number(len(KINDS))]
    for _ in range(reader.number(9)):
        token = reader.number(2 * len(TOKENS))
        body += TOKENS[token] if token < len(TOKENS) else reader.some(4)
    return len(body).to_bytes(4, "big") + body


def one_input(data: bytes) -> None:
    """Check one input."""
    reader = InputReader(data)
    table = TABLES[reader.number(len(TABLES))]
    places = [reader.number(501) for _ in range(reader.number(6))]
    frames = [framed(reader) for _ in range(reader.number(13))]
    stream = b"".join(frames) + reader.rest()
    cuts = sorted(place for place in places if place <= len(stream))
    whole = outcome(table, stream, [])
    assert outcome(table, stream, cuts) == whole
    assert outcome(table, stream, list(range(len(stream)))) == whole
