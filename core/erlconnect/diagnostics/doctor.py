"""All steps in their order: the way to a target, what its node says, and this machine.

The smallest rights that suffice, in the words of the platform that gives them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.contract import DescribesRights, Query, Target
from erlconnect.diagnostics.local_steps import examine_machine
from erlconnect.diagnostics.remote_steps import REMOTE_STEPS, examine_target
from erlconnect.diagnostics.steps import StepName, StepTimer
from erlconnect.distribution.names import NodeName
from erlconnect.errors import ErlconnectError, UsageError
from erlconnect.plugin_manager.validation import Kind
from erlconnect.session.inspection import inspection_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from erlconnect.diagnostics.remote_steps import RemoteNode
    from erlconnect.diagnostics.steps import Report
    from erlconnect.plugin_manager.catalogue import Catalogue
    from erlconnect.session.config import SessionConfig
    from erlconnect.session.inspection import InspectionSession


async def examine(
    choices: SessionConfig | None,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    examination: Report,
    warn: Callable[[str], None],
) -> None:
    """Take every step; without ``choices`` only those that look at this machine."""
    remote = None
    if choices:
        remote = await _remote(choices, catalogue, environment, examination, warn)
    await examine_machine(
        environment,
        examination,
        remote=remote,
        alias=(choices.as_name if choices else "") or (remote.name if remote else ""),
        cookie_file=choices.local_cookie_file if choices else None,
    )


async def _remote(
    choices: SessionConfig,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    examination: Report,
    warn: Callable[[str], None],
) -> RemoteNode | None:
    stage = StepTimer(StepName.DISCOVERY)
    try:
        async with inspection_session(choices, catalogue, environment, warn) as looking:
            return await examine_target(looking, examination)
    except ErlconnectError as error:
        if examination.has_begun(StepName.DISCOVERY):
            raise
        examination.add(stage.failed(error))
        examination.skip(REMOTE_STEPS[1:], "the backend cannot be asked")
    return None


async def needed_rights(
    choices: SessionConfig,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> str:
    """Ask the backend, and the cookie source where one was named.

    Raises ``UsageError`` where neither is of a platform that gives rights.
    """
    query = Query(service=choices.service)
    parts = []
    async with inspection_session(choices, catalogue, environment, warn) as looking:
        for kind, name, offer in _asked(looking):
            if isinstance(offer, DescribesRights):
                with catalogue.attribute_errors(kind, name, "rights()"):
                    parts.append(await offer.rights(query, looking.service.discovery))
    if not parts:
        raise UsageError(
            f"{choices.backend} has no roles or policies that could be printed",
            remedy="--role is for backends that ask for rights: kubernetes, consul.",
        )
    return "\n".join(parts)


def _asked(looking: InspectionSession) -> Iterator[tuple[Kind, str, object]]:
    choices = looking.service.choices
    yield Kind.BACKEND, choices.backend, looking.service.offers.backend()
    if choices.cookie_from:
        nowhere = Target(node=NodeName(name="", host=""), address="")
        for one in looking.service.offers.cookie_sources(nowhere):
            yield Kind.COOKIE_SOURCE, one.name, one.source
