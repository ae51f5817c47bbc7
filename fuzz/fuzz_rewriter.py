"""Any bytes at all through a rewriter: a RemoteProtocolError or nothing, the same in every split.

Half of the input is framed first, or hardly any would get past the length of the first frame.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports():
    from erlconnect.distribution.errors import RemoteProtocolError
    from erlconnect.distribution.name_table import inverse, permutation
    from erlconnect.distribution.rewrite_table import RewriteTable
    from erlconnect.distribution.rewriter import Rewriter

LONG = "-app@pod-0.app.default.svc.cluster.local-0000"
NAMES = permutation([("app@127.0.0.1", LONG[1:]), ("d@e", LONG)])
TABLES = [RewriteTable(NAMES), RewriteTable(inverse(NAMES)), RewriteTable({})]
TABLES += [RewriteTable(NAMES, fun_sizes=False), RewriteTable(inverse(NAMES), fun_sizes=False)]
KINDS = [b"\x83D", b"\x83E\0\0\0\0\0\0\0", b"\x83F\0\0\0\0\0\0\0", b"p\x83", b""]
TOKENS = [bytes([len(name)]) + name.encode() for name in NAMES]
TOKENS += [b"w" + token for token in TOKENS] + [b"v\0" + token for token in TOKENS]
TOKENS += [b"h\2", b"l\0\0\0\2", b"m\0\0\0\x20", b"XR\0", b"p\0\0\0\x40" + bytes(25), b"\0", b"\1"]


def outcome(table: RewriteTable, stream: bytes, cuts: list[int]) -> bytes | None:
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


def framed(provider: atheris.FuzzedDataProvider) -> bytes:
    """Bodies with right lengths, full of what the rewriter looks for."""
    body: bytes = KINDS[provider.ConsumeIntInRange(0, len(KINDS) - 1)]
    for _ in range(provider.ConsumeIntInRange(0, 8)):
        token = provider.ConsumeIntInRange(0, 2 * len(TOKENS))
        body += TOKENS[token] if token < len(TOKENS) else provider.ConsumeBytes(4)
    return len(body).to_bytes(4, "big") + body


def one_input(data: bytes) -> None:
    """Check one input."""
    provider = atheris.FuzzedDataProvider(data)
    table = TABLES[provider.ConsumeIntInRange(0, len(TABLES) - 1)]
    places = [provider.ConsumeIntInRange(0, 500) for _ in range(provider.ConsumeIntInRange(0, 5))]
    frames = [framed(provider) for _ in range(provider.ConsumeIntInRange(0, 12))]
    stream = b"".join(frames) + provider.ConsumeBytes(provider.remaining_bytes())
    cuts = sorted(place for place in places if place <= len(stream))
    whole = outcome(table, stream, [])
    assert outcome(table, stream, cuts) == whole
    assert outcome(table, stream, list(range(len(stream)))) == whole


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
