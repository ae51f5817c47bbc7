"""What goes between the session and its plugins: plain values that cannot be changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import pydantic

from erlconnect.redaction import remember

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from erlconnect.distribution.names import NodeName


class Settings(pydantic.BaseModel):
    """The settings of one offer, declared once.

    A key is the field's name with dashes: ``token_file`` is ``-o token-file=PATH`` and
    ``ERLCONNECT_<OFFER>_TOKEN_FILE``. ``Field(description=...)`` is the text of help and docs.
    """

    model_config = pydantic.ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=lambda field_name: field_name.replace("_", "-"),
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    argument: ClassVar[str | None] = None
    """The field that ``NAME:ARG`` sets, where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """Another plugin's offer by name, with settings for it; plugins never import each other.

    With ``only_if_named`` the offer is not used by itself: its settings are inherited where a flag
    or a profile names the offer.
    """

    name: str
    settings: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    only_if_named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One remote node that a backend found.

    ``node`` is the name as the backend knows it; the knock corrects it. An empty ``node.name``
    means that only the node itself or its epmd can tell. ``dist_port`` is ``None`` where the
    remote epmd has to be asked. ``cookies`` and ``transports`` are best first. ``facts`` are shown
    to people and never parsed; a ``node`` template of the user may name them as ``{fields}``.
    """

    node: NodeName
    address: str
    dist_port: int | None = None
    epmd_port: int = 4369
    cookies: tuple[Ref, ...] = ()
    transports: tuple[Ref, ...] = ()
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What the user asked a backend for: TARGET of the command line."""

    service: str


class Cookie:
    """A magic cookie that does not show itself: not by ``repr``, ``str``, ``pickle`` or ``vars``.

    ``text`` holds characters U+0000 to U+00FF, because the digest is over the Latin-1 bytes of the
    cookie's characters. ``origin`` says where it came from, in words that may be shown, and
    ``note`` what the user should know of how it was read.
    """

    __slots__ = ("__text", "note", "origin")

    def __init__(self, text: str, *, origin: str, note: str = "") -> None:
        remember(text)
        self.__text = text
        self.origin = origin
        self.note = note

    def reveal(self) -> str:
        """Give the cookie's characters, for a digest or a private file and nothing else."""
        return self.__text

    def __repr__(self) -> str:
        return f"Cookie(origin={self.origin!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a cookie is not pickled")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedProfile:
    """A profile for a first configuration file; ``why`` says what it was made from.

    ``settings`` are those of the backend, by their keys, and hold no secret.
    """

    name: str
    why: str
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One backend, cookie source or transport that a plugin registers.

    ``name`` is the name of the entry point. ``create`` gets the validated settings. ``needs`` are
    importable library names that are looked for before ``create`` is called; ``install`` says how
    to get them.
    """

    name: str
    summary: str
    settings: type[Settings]
    create: Callable[[Any], Any]
    needs: tuple[str, ...] = ()
    install: str = ""
