"""Cookie source ``kubernetes-exec``: one look into the node's container.

For releases that set no variable: the cookie is in the running node's flags, in its environment, or
in the file that it was made or started with. Refuses to know how the look is done.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from erlconnect.api import (
    Cookie,
    CookieNotFoundError,
    Offer,
    cookie_in_flags,
    hookimpl,
    read_variables,
)
from erlconnect_backends.kubernetes_cluster.cookie_names import COOKIE_NAMES
from erlconnect_backends.kubernetes_cluster.cookie_place import (
    CookiePlaceSettings,
    cookie_of,
    open_place,
)
from erlconnect_backends.kubernetes_cluster.look_inside import LookInside, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from erlconnect.api import CookieSource, Target

# Consoles that somebody has open in there: mix releases' `rpc` and `remote`.
_HELPER: Final = re.compile(r"(rpc|rem)-.")


class ExecCookieSettings(CookiePlaceSettings):
    """Settings of ``kubernetes-exec``."""


class ExecCookieSource:
    """Runs one command that changes nothing in the container of the node."""

    def __init__(self, settings: ExecCookieSettings) -> None:
        self._settings = settings

    async def fetch(self, target: Target) -> Cookie | None:
        """Give the cookie of the node that runs there; ``None`` where nothing tells it.

        Raises ``CookieNotFoundError`` where nothing can be run in the container, ``RefusedError``
        where that is not allowed, ``LookupFailedError`` and its kin where the server could not
        answer. Cancelled, it leaves no connection behind; the command ends by itself.
        """
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
        for value, origin in _found(look.read(outcome.output)):
            where = f"{origin} of {place.words}"
            if cookie := cookie_of(value, place=f"What was found in {where}", origin=where):
                return cookie
        return None


def _found(seen: Sequence[Seen]) -> Iterator[tuple[bytes, str]]:
    """Give all that may be the cookie, best first: what the running node was told, then files."""
    for process in sorted(seen, key=_is_helper):
        variables = process.variables
        yield _bytes(cookie_in_flags(variables, process.flags)), "the node's flags"
        for name in COOKIE_NAMES:
            yield _bytes(variables.get(name, "")), f"the variable {name}"
        for path, content in process.files.items():
            yield content, path


def _is_helper(process: Seen) -> bool:
    told = read_variables({}, process.flags)
    return bool(_HELPER.match(told.name or str(told.node or "")))


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
