"""Challenges and digests of the handshake.

Source: "Semantics of gen_challenge and gen_digest" in the Erlang Distribution Protocol.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets


def gen_challenge() -> int:
    """Give a random 32-bit challenge from a cryptographic source."""
    return secrets.randbits(32)


def gen_digest(challenge: int, cookie: str) -> bytes:
    """Give MD5 over the cookie's characters followed by the challenge in decimal: 16 bytes.

    The characters are Latin-1 (``atom_to_list`` of the cookie), never UTF-8; ``ValueError`` where
    the cookie has characters beyond U+00FF.
    """
    text = cookie.encode("latin-1") + str(challenge).encode()
    return hashlib.md5(text, usedforsecurity=False).digest()


def digests_equal(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)
