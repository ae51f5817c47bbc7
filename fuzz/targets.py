"""All targets by their names; ``corpus`` has a folder of each name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import fuzz_consul
import fuzz_dns
import fuzz_epmd
import fuzz_forwarding
import fuzz_handshake
import fuzz_http
import fuzz_own_calls
import fuzz_proxy
import fuzz_rewriter
import fuzz_spdy
import fuzz_websocket

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS: Final = Path(__file__).parent / "corpus"
TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "consul": fuzz_consul.one_input,
    "dns": fuzz_dns.one_input,
    "epmd": fuzz_epmd.one_input,
    "forwarding": fuzz_forwarding.one_input,
    "handshake": fuzz_handshake.one_input,
    "http": fuzz_http.one_input,
    "own_calls": fuzz_own_calls.one_input,
    "proxy": fuzz_proxy.one_input,
    "rewriter": fuzz_rewriter.one_input,
    "spdy": fuzz_spdy.one_input,
    "websocket": fuzz_websocket.one_input,
}
"""A target takes one input and raises where the code breaks its contract."""
