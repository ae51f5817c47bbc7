from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from erlconnect.distribution.digest import digests_equal, gen_challenge, gen_digest

if TYPE_CHECKING:
    from world.erlang import ErlangNode

COOKIES = ["secret", "", "é", "a b\n", "\xff" * 255, "ABCDEFGHIJKLMNOPQRST"]


@pytest.mark.parametrize("challenge", [0, 7, 4294967295])
def test_digests_are_those_of_a_real_node(node: ErlangNode, challenge: int) -> None:
    for cookie in COOKIES:
        characters = str([ord(character) for character in cookie])
        digest = node.evaluate(
            f"binary:decode_unsigned(erlang:md5({characters} ++ integer_to_list({challenge})))."
        )

        assert int(digest) == int.from_bytes(gen_digest(challenge, cookie), "big")


def test_a_cookie_beyond_latin_1_is_refused() -> None:
    with pytest.raises(ValueError, match="latin-1"):
        gen_digest(1, "€")


def test_digests_are_compared_whole() -> None:
    digest = gen_digest(1, "secret")

    assert digests_equal(digest, bytes(digest))
    assert not digests_equal(digest, gen_digest(2, "secret"))
    assert not digests_equal(digest, digest[:-1])


def test_challenges_are_32_bits_and_differ() -> None:
    challenges = {gen_challenge() for _ in range(100)}

    assert len(challenges) > 90
    assert max(challenges) < 1 << 32
