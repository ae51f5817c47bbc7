"""Node names: ``name@host``, at most 255 characters as an atom and 255 bytes on the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_NAME_BYTES: Final = 255
# net_kernel accepts letters, digits, "_" and "-" in the name part (net_kernel:valid_name_head).
_NAME_PART: Final = re.compile(r"[0-9A-Za-z_\-]+")
_HOST_PART: Final = re.compile(r"[^@\s\x00-\x20]+")
# Nodes that tools start beside a server for as long as a command or console takes: the name part.
_HELPERS: Final = (
    r"(?:rpc|rem)-.+",  # mix releases: `rpc`, `remote`
    r"(?:remsh|longname)[0-9a-f]{1,8}-.+",  # relx's scripts, EMQX
    r".+_(?:maint|eper|ctl)_[0-9]*",  # nodetool of rebar and relx: VerneMQ, MongooseIM, EMQX; eper
    r".+_diag[0-9]*",  # CouchDB's weatherreport, riaknostic
    r"rabbitmqcli-[0-9]+-.+",  # rabbitmqctl and its kin
    r"rabbitmq-cli-[0-9]+",  # the same before RabbitMQ 3.7
    r"rabbit(?:mq)?_prelaunch_[0-9]+",  # rabbitmq-server, while it starts
    r"[0-9A-Za-z]{1,8}-(?:ctl|debug|top|ping)(?:-.+)?",  # ejabberdctl
)
_HELPER: Final = re.compile("|".join(_HELPERS))


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


def is_helper(name: str) -> bool:
    """Say whether a node of this name (its host counts not) is a console or a tool's own node."""
    return _HELPER.fullmatch(name.partition("@")[0]) is not None
