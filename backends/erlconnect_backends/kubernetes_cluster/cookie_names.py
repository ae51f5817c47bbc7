"""The variables that hold a cookie, in the order in which they are looked for."""

from __future__ import annotations

from typing import Final

COOKIE_NAMES: Final = (
    "RELEASE_COOKIE",
    "ERLANG_COOKIE",
    "K8S_NODE_COOKIE",
    "ELIXIR_REMSH_COOKIE",
    "REMSH_COOKIE",
)
