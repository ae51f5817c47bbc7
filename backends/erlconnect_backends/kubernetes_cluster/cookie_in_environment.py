"""Cookie source ``kubernetes-env``: the variables of the node's container, as the kubelet has them.

Knows which variables hold cookies, and that a flag may set one, too. Refuses to know how a variable
gets its value; ``container_environment`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from erlconnect.api import (
    ERLANG_VARIABLES,
    Cookie,
    CookieNotFoundError,
    Offer,
    cookie_in_flags,
    hookimpl,
)
from erlconnect_backends.kubernetes_cluster.container_environment import ContainerEnvironment
from erlconnect_backends.kubernetes_cluster.cookie_names import COOKIE_NAMES, LITERAL_NAME
from erlconnect_backends.kubernetes_cluster.cookie_place import (
    CookiePlace,
    CookiePlaceSettings,
    cookie_of,
    open_place,
)
from erlconnect_backends.kubernetes_cluster.data_objects import DataObjects, NotToldError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect.api import CookieSource, Target


class EnvironmentCookieSettings(CookiePlaceSettings):
    """Settings of ``kubernetes-env``."""

    argument: ClassVar[str | None] = "names"

    names: tuple[str, ...] = Field(
        default=COOKIE_NAMES,
        min_length=1,
        description="The variables that may hold the cookie; the first that is set counts.",
    )


class EnvironmentCookieSource:
    """Looks the cookie up in the description of the pod, without entering it."""

    def __init__(self, settings: EnvironmentCookieSettings) -> None:
        self._settings = settings

    async def fetch(self, target: Target) -> Cookie | None:
        """Give the first of the variables that is set, or what a flag sets; ``None`` without both.

        Raises ``CookieNotFoundError`` where a variable is set and its value cannot be found out,
        ``RefusedError`` where a Secret may not be read, ``LookupFailedError`` and its kin where the
        server could not answer. Cancelled, it leaves nothing behind.
        """
        place = await open_place(self._settings, target, names=self._settings.names)
        data = DataObjects(place.rest, place.pod.namespace)
        environment = ContainerEnvironment(place.pod, place.container, data)
        try:
            return await self._found(place, environment)
        except NotToldError as error:
            raise CookieNotFoundError(
                f"The cookie of {place.words} cannot be found out: {error}",
                remedy="Correct the pod's variables, or name another source with `--cookie-from`,"
                " e.g. kubernetes-exec.",
            ) from None

    async def _found(self, place: CookiePlace, environment: ContainerEnvironment) -> Cookie | None:
        for name in self._settings.names:
            value = await environment.value(name)
            if value is None or not value.strip():
                continue
            if name == LITERAL_NAME:
                return await _released(place, environment, value)
            if cookie := _cookie(value, f"{name} of {place.words}"):
                return cookie
        return await _in_flags(place, environment)


async def _released(
    place: CookiePlace, environment: ContainerEnvironment, value: str
) -> Cookie | None:
    """Return what a node has of ``RELEASE_COOKIE``; ``None`` where it takes its cookie file."""
    given = await _flag(environment, {LITERAL_NAME: value})
    if given is None or given == value:
        return _cookie(value, f"{LITERAL_NAME} of {place.words}", literal=True)
    return _cookie(given, f"a flag of {place.words}", literal=True)


async def _in_flags(place: CookiePlace, environment: ContainerEnvironment) -> Cookie | None:
    given = await _flag(environment, {})
    return _cookie(given or "", f"a flag of {place.words}", literal=True)


async def _flag(environment: ContainerEnvironment, more: Mapping[str, str]) -> str | None:
    variables = await environment.known(ERLANG_VARIABLES)
    return cookie_in_flags({**variables, **more}, await environment.command_line())


def _cookie(value: str, origin: str, *, literal: bool = False) -> Cookie | None:
    content = value.encode(errors="surrogateescape")
    return cookie_of(content, place=f"The variable {origin}", origin=origin, literal=literal)


def _create(settings: EnvironmentCookieSettings) -> CookieSource:
    return EnvironmentCookieSource(settings)


@hookimpl
def erlconnect_cookie_sources() -> Sequence[Offer]:
    """Offer ``kubernetes-env``."""
    return [
        Offer(
            name="kubernetes-env",
            summary="The variables of a pod's container, with the Secrets that they come from",
            settings=EnvironmentCookieSettings,
            create=_create,
            needs=("kubernetes",),
            install="pip install 'erlconnect[kubernetes]'",
        )
    ]
