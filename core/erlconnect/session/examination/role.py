"""The smallest rights that suffice, in the words of the platform that gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.api import DescribesRights, NodeName, Query, Target
from erlconnect.errors import UsageError
from erlconnect.plugin_catalogue.kinds import Kind
from erlconnect.session.lookout import lookout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from erlconnect.plugin_catalogue.catalogue import Catalogue
    from erlconnect.session.choices import Choices
    from erlconnect.session.lookout import Lookout


async def needed_rights(
    choices: Choices,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> str:
    """Ask the backend, and the cookie source where one was named.

    Raises ``UsageError`` where neither is of a platform that gives rights.
    """
    query = Query(service=choices.service)
    parts = []
    async with lookout(choices, catalogue, environment, warn) as looking:
        for kind, name, offer in _asked(looking):
            if isinstance(offer, DescribesRights):
                with catalogue.blaming(kind, name, "rights()"):
                    parts.append(await offer.rights(query, looking.service.discovery))
    if not parts:
        raise UsageError(
            f"{choices.backend} has no roles or policies that could be printed",
            remedy="--role is for backends that ask for rights: kubernetes, consul.",
        )
    return "\n".join(parts)


def _asked(looking: Lookout) -> Iterator[tuple[Kind, str, object]]:
    choices = looking.service.choices
    yield Kind.BACKEND, choices.backend, looking.service.offers.backend()
    if choices.cookie_from:
        nowhere = Target(node=NodeName(name="", host=""), address="")
        for one in looking.service.offers.cookie_sources(nowhere):
            yield Kind.COOKIE_SOURCE, one.name, one.source
