"""Node names: ``name@host``, at most 255 characters as an atom and 255 bytes on the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_NAME_BYTES: Final = 255

# net_kernel accepts letters, digits, "_" and "-" in the name part (net_kernel:valid_name_head).
_NAME_PART: Final = re.compile(r"[0-9A-Za-z_\-]+")
_HOST_PART: Final = re.compile(r"[^@\s\x00-\x20]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeName:
    """The full name of a node; ``str()`` gives back what ``parse`` was given.

    Source: OTP's ``net_kernel`` and "Distributed Erlang" in the reference manual.
    """

    name: str
    host: str

    @classmethod
    def parse(cls, text: str) -> NodeName:
        """Split ``name@host``; ``ValueError`` says which part is wrong."""
        name, at, host = text.partition("@")
        if not at:
            raise ValueError(f"{text!r} is no node name: there is no '@' in it")
        if not _NAME_PART.fullmatch(name):
            raise ValueError(
                f"{text!r} is no node name: before the '@' only letters, digits, '_' and '-'"
            )
        if not _HOST_PART.fullmatch(host):
            raise ValueError(f"{text!r} is no node name: the host after the '@' is not usable")
        if any("\ud800" <= character <= "\udfff" for character in host):
            # So Python holds bytes of the command line that are no UTF-8.
            raise ValueError(f"{text!r} is no node name: the host is not in UTF-8")
        if len(text.encode()) > MAX_NAME_BYTES:
            raise ValueError(f"{text!r} is no node name: longer than {MAX_NAME_BYTES} bytes")
        return cls(name=name, host=host)

    @property
    def long(self) -> bool:
        """Whether Erlang counts this as a long name (``-name``): a dot or a colon in the host."""
        return "." in self.host or ":" in self.host

    def __str__(self) -> str:
        return f"{self.name}@{self.host}"
