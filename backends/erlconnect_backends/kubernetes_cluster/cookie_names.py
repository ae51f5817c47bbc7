"""The variables that hold a cookie, in the order in which they are looked for."""

from __future__ import annotations

from typing import Final

COOKIE_NAMES: Final = (
    "RELEASE_COOKIE",
    "ERLANG_COOKIE",
    "K8S_NODE_COOKIE",
    "ELIXIR_REMSH_COOKIE",
    "REMSH_COOKIE",
    "RABBITMQ_ERLANG_COOKIE",
    "RABBITMQ_ERL_COOKIE",
    "EMQX_NODE__COOKIE",
    "EMQX_NODE_COOKIE",
    "DOCKER_VERNEMQ_DISTRIBUTED_COOKIE",
    "COUCHDB_ERLANG_COOKIE",
)

LITERAL_NAME: Final = "RELEASE_COOKIE"
"""The one whose value a release hands on as a flag, so that a newline at its end belongs to it.

All others go through a script of the image, which mostly writes a file.
"""
