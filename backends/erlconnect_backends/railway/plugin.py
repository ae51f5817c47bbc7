"""Backend ``railway`` and cookie source ``railway-variables``: settings and registration.

dnspython is imported when the backend is used: listing the plugins has to be quick.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from erlconnect.api import (
    ConfigurationError,
    Cookie,
    CookieNotFoundError,
    Offer,
    Settings,
    cookie_in_flags,
    cookie_text,
    hookimpl,
)
from erlconnect_backends.railway.api import GraphApi, Project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Backend, Target

ENDPOINT: Final = "https://backboard.railway.com/graphql/v2"
# A release passes its cookie to erl as a flag, literally. A -setcookie in the other variables is
# a flag, too, and which of several counts is decided as erl does.
_LITERAL_NAME: Final = "RELEASE_COOKIE"
_FLAG_NAMES: Final = (_LITERAL_NAME, "ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "ELIXIR_ERL_OPTIONS")


class RailwaySettings(Settings):
    """Settings of ``railway``."""

    project: str = Field(
        default="",
        description="The project's id; without it RAILWAY_PROJECT_ID, the project that `railway"
        " link` named for this folder, or that of a project's token.",
    )
    environment: str = Field(
        default="",
        description="The environment's name or id; without it RAILWAY_ENVIRONMENT_ID, the linked"
        " one, or that of a project's token.",
    )
    basename: str = Field(
        default="",
        pattern=r"^[0-9A-Za-z_\-]*$",
        description="The part of the node's name before the '@'; without it RELEASE_NODE of the"
        " service's variables, or the node itself tells it.",
    )
    domain: str = Field(
        default="railway.internal",
        min_length=1,
        description="The domain of the private network.",
    )
    server: str | None = Field(
        default=None,
        description="The name server to ask, ADDRESS[:PORT] with IPv6 in brackets; without it those"
        " of /etc/resolv.conf.",
    )
    lookup: Literal["auto", "never"] = Field(
        default="auto",
        description="never: leave the name to whatever --via runs inside the private network.",
    )
    endpoint: str = Field(
        default=ENDPOINT, min_length=1, description="The address of Railway's GraphQL API."
    )


def _create(settings: RailwaySettings) -> Backend:
    from erlconnect_backends.railway.backend import (  # noqa: PLC0415 - imports dnspython
        RailwayBackend,
    )

    return RailwayBackend(settings)


class RailwayPlugin:
    """The entry point ``railway``."""

    @staticmethod
    @hookimpl
    def erlconnect_backends() -> Sequence[Offer]:
        """Offer ``railway``."""
        return [
            Offer(
                name="railway",
                summary="The replicas of a service in Railway's private network",
                settings=RailwaySettings,
                create=_create,
                needs=("dns",),
                install="pip install 'erlconnect[railway]'",
            )
        ]


class RailwayVariablesSettings(Settings):
    """Settings of ``railway-variables``."""

    argument: ClassVar[str | None] = "names"

    names: tuple[str, ...] = Field(
        default=("RELEASE_COOKIE", "ERLANG_COOKIE"),
        description="The variables that may hold the cookie; the first that is there counts.",
    )
    service: str = Field(
        default="", description="The service; without it the one that the backend looked for."
    )
    project: str = Field(default="", description="The project's id, as for the backend railway.")
    environment: str = Field(
        default="", description="The environment's name or id, as for the backend railway."
    )
    endpoint: str = Field(
        default=ENDPOINT, min_length=1, description="The address of Railway's GraphQL API."
    )


class RailwayVariables:
    """Reads one service's variables."""

    def __init__(self, settings: RailwayVariablesSettings) -> None:
        self._settings = settings

    async def fetch(self, target: Target) -> Cookie | None:
        """Return the first of the variables that is there; ``None`` where none is.

        Raises ``ConfigurationError`` without a service, ``CookieNotFoundError`` without a token.
        """
        del target
        settings = self._settings
        if not settings.service:
            raise ConfigurationError(
                "railway-variables does not know which service is meant",
                remedy="Give -o cookie.service=NAME, or use the backend railway.",
            )
        api = GraphApi.from_environment(settings.endpoint, os.environ)
        if api is None:
            raise CookieNotFoundError(
                "railway-variables needs a token of Railway's API",
                remedy="Set RAILWAY_TOKEN (of the project) or RAILWAY_API_TOKEN (of a person).",
            )
        project = await Project.find(
            api, settings.project, settings.environment, os.environ, Path.cwd()
        )
        variables = await project.variables(settings.service)
        name = next((name for name in settings.names if variables.get(name, "").strip()), None)
        if name is None:
            return None
        value, origin = variables[name], f"{settings.service}'s {name}"
        # Only a release's own cookie reaches erl as a flag. The others are taken as they are.
        if name != _LITERAL_NAME:
            return _cookie(value, origin)
        in_flags = cookie_in_flags({each: variables.get(each, "") for each in _FLAG_NAMES})
        return _cookie(in_flags, origin, literal=True) if in_flags else None


def _cookie(value: str, origin: str, *, literal: bool = False) -> Cookie:
    text = cookie_text(value.encode(), place=f"The Railway variable {origin}")
    stripped = text if literal else text.rstrip("\r\n")
    note = "" if stripped == text else f"a newline at the end of {origin} was left out"
    return Cookie(stripped, origin=f"Railway variable {origin}", note=note)


class RailwayVariablesPlugin:
    """The entry point ``railway-variables``."""

    @staticmethod
    @hookimpl
    def erlconnect_cookie_sources() -> Sequence[Offer]:
        """Offer ``railway-variables``."""
        return [
            Offer(
                name="railway-variables",
                summary="The variables of a Railway service",
                settings=RailwayVariablesSettings,
                create=RailwayVariables,
            )
        ]
