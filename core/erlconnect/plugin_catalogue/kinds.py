"""The three kinds of offers, and what each kind means to hooks, options and objects."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What an offer is for; the value is the word that people read."""

    BACKEND = "backend"
    COOKIE_SOURCE = "cookie source"
    TRANSPORT = "transport"

    @property
    def hook(self) -> str:
        """The hook through which a plugin registers offers of this kind."""
        return f"erlconnect_{self.value.replace(' ', '_')}s"

    @property
    def option_prefix(self) -> str:
        """What stands before the key in ``-o KEY=VALUE``; nothing for a backend."""
        return {"backend": "", "cookie source": "cookie.", "transport": "transport."}[self.value]

    @property
    def method(self) -> str:
        """The method without which an object is none of this kind."""
        return {"backend": "discover", "cookie source": "fetch", "transport": "open"}[self.value]
