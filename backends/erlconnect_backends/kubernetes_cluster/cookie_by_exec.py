"""Cookie source ``kubernetes-exec``: one look into the node's container.

For releases that set no variable: the cookie is in the running node's flags, in its environment, or
in the file that it was made or started with. Refuses to know how the look is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from erlconnect.api import (
    Cookie,
    CookieNotFoundError,
    NodeName,
    Offer,
    RefusedError,
    cookie_in_flags,
    hookimpl,
    is_helper,
    read_variables,
)
from erlconnect_backends.kubernetes_cluster.cookie_names import COOKIE_NAMES, LITERAL_NAME
from erlconnect_backends.kubernetes_cluster.cookie_place import (
    CookiePlaceSettings,
    cookie_of,
    open_place,
)
from erlconnect_backends.kubernetes_cluster.look_inside import NO_PROCESS, LookInside, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from erlconnect.api import CookieSource, Target


class ExecCookieSettings(CookiePlaceSettings):
    """Settings of ``kubernetes-exec``."""

    optional: bool = Field(
        default=False,
        description="Whether the next source is asked where nothing may or can be run in there.",
    )


class ExecCookieSource:
    """Runs one command that changes nothing in the container of the node."""

    def __init__(self, settings: ExecCookieSettings) -> None:
        self._settings = settings

    async def fetch(self, target: Target) -> Cookie | None:
        """Give the cookie of the node that runs there; ``None`` where nothing tells it.

        Raises ``CookieNotFoundError`` where nothing can be run in the container, ``RefusedError``
        where that is not allowed, both unless it is ``optional``; ``LookupFailedError`` and its kin
        where the server could not answer. Cancelled, it leaves no connection behind; the command
        ends by itself.
        """
        try:
            return await self._look(target)
        except (CookieNotFoundError, RefusedError):
            if self._settings.optional:
                return None
            raise

    async def _look(self, target: Target) -> Cookie | None:
        from erlconnect_backends.kubernetes_cluster.exec_call import (  # noqa: PLC0415 - imports websockets
            run_inside,
        )

        place = await open_place(self._settings, target, names=())
        look = LookInside()
        outcome = await run_inside(place, look.words)
        if outcome.failure:
            raise CookieNotFoundError(
                f"A look into {place.words} failed: {outcome.failure}",
                remedy="Name another source with `--cookie-from`, or another container with"
                " -o container=.",
            )
        for value, origin, literal in _found(look.read(outcome.output), target.node):
            where = f"{origin} of {place.words}"
            said = f"What was found in {where}"
            if cookie := cookie_of(value, place=said, origin=where, literal=literal):
                return cookie
        return None


def _found(seen: Sequence[Seen], node: NodeName) -> Iterator[tuple[bytes, str, bool]]:
    """Yield all that may be the cookie of ``node``, best first, and whether it is so literally."""
    for process in _of_node(seen, node):
        given = cookie_in_flags({}, process.flags)
        if given:
            yield _bytes(given), "the node's flags", True
        if given is None:
            for name in COOKIE_NAMES:
                literal = name == LITERAL_NAME
                yield _bytes(process.variables.get(name, "")), f"the variable {name}", literal
        for path, content in process.files.items():
            # What a release made of its own file are flags, which the node did not take.
            if given is None or path.endswith(".erlang.cookie"):
                yield content, path, False


def _of_node(seen: Sequence[Seen], node: NodeName) -> Sequence[Seen]:
    """Return the processes that may be ``node``, best first; without others that have a name.

    Where none has its name, its name is not known or it was given after the start: then those come
    first that have none.
    """
    running = [process for process in seen if process.number != NO_PROCESS]
    without = [process for process in seen if process.number == NO_PROCESS]
    names = {process.number: _node_name(process) for process in running}
    own = [one for one in running if node.name and names[one.number].name == node.name]
    if own:
        return [*sorted(own, key=lambda one: names[one.number] != node), *without]

    def likelihood(process: Seen) -> tuple[bool, bool]:
        name = names[process.number].name
        return is_helper(name), bool(name and node.name)

    return [*sorted(running, key=likelihood), *without]


def _node_name(process: Seen) -> NodeName:
    told = read_variables({}, process.flags)
    return told.node or NodeName(name=told.name, host="")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _create(settings: ExecCookieSettings) -> CookieSource:
    return ExecCookieSource(settings)


@hookimpl
def erlconnect_cookie_sources() -> Sequence[Offer]:
    """Offer ``kubernetes-exec``."""
    return [
        Offer(
            name="kubernetes-exec",
            summary="One look into a pod's container: the node's flags, variables and cookie file",
            settings=ExecCookieSettings,
            create=_create,
            needs=("kubernetes", "websockets"),
            install="pip install 'erlconnect[kubernetes]'",
        )
    ]
