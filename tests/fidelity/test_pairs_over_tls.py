"""Every pair of releases that connects, with the distribution over TLS on both sides.

The two sides have an authority each: neither node trusts what the other one shows, and only the
session knows both.
"""

from __future__ import annotations

import pytest
from end_to_end.mirrored import assert_calls_work, assert_reconnects, mirrored
from fidelity.pairs import PAIRS
from world.certificates import WANTS_CERTIFICATE, tls_files
from world.connected import REMOTE_NAME


@pytest.mark.parametrize(("local", "remote"), PAIRS)
def test_every_pair_works_over_tls(local: str, remote: str) -> None:
    with tls_files(local) as here, tls_files(remote) as there:
        door = here.authority.leaf("door", "127.0.0.1", "localhost")
        mine = here.authority.leaf("mine", "127.0.0.1")
        me = there.authority.leaf("me")
        node = there.authority.leaf("node", REMOTE_NAME.partition("@")[2])
        files = {
            "local-tls-cert": door.certificate,
            "local-tls-key": door.key,
            "transport.tls-ca": there.authority.certificate,
            "transport.tls-cert": me.certificate,
            "transport.tls-key": me.key,
        }
        with mirrored(
            *(word for name, path in files.items() for word in ("-o", f"{name}={path}")),
            local_release=local,
            local_flags=here.flags(mine),
            remote_release=remote,
            remote_flags=there.flags(node, WANTS_CERTIFICATE),
        ) as world:
            assert_calls_work(world)
            sent = "Sent = crypto:strong_rand_bytes(8 bsl 20)"
            assert world.call(f"{sent}, erpc:call(Alias, erlang, hd, [[Sent]]) =:= Sent.") == "true"
            assert_reconnects(world)
