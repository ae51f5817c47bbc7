"""Asking a backend which services there are, for those backends that can say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.api import ListsServices
from erlconnect.session.offers import Offers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from erlconnect.api import Dialer, Ref, Target
    from erlconnect.plugin_catalogue.catalogue import Catalogue
    from erlconnect.session.choices import Choices


class _Asking:
    """What a backend may ask for meanwhile (``SessionApi``)."""

    def __init__(self, offers: Offers) -> None:
        self._offers = offers

    def dialer(self, ref: Ref, target: Target) -> AbstractAsyncContextManager[Dialer]:
        return self._offers.transport(ref).open(target)

    def warn(self, message: str) -> None:
        """Say nothing: names alone are wanted."""


async def listed_services(
    choices: Choices, catalogue: Catalogue, environment: Mapping[str, str]
) -> Sequence[str]:
    """Give what may stand as TARGET; nothing where the backend cannot say that."""
    offers = Offers(catalogue, choices, environment)
    backend = offers.backend()
    if not isinstance(backend, ListsServices):
        return []
    return await backend.services(_Asking(offers))
