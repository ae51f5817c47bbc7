"""All steps of ``doctor`` in their order, and the smallest rights of ``doctor --role``.

The steps themselves are in ``remote_steps.py`` and ``local_steps.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.contract import DescribesRights, Query, Target
from erlconnect.diagnostics.local_steps import examine_machine
from erlconnect.diagnostics.remote_steps import REMOTE_STEPS, examine_target
from erlconnect.diagnostics.steps import StepName, StepTimer
from erlconnect.distribution.names import NodeName
from erlconnect.errors import ErlconnectError, UsageError
from erlconnect.guard.link_guard import GuardConfig, guard_line
from erlconnect.plugin_manager.validation import Kind
from erlconnect.session.inspection import inspection_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from erlconnect.diagnostics.remote_steps import RemoteNode
    from erlconnect.diagnostics.steps import Report, Step
    from erlconnect.plugin_manager.catalogue import Catalogue
    from erlconnect.session.config import SessionConfig
    from erlconnect.session.inspection import InspectionSession


async def examine(
    config: SessionConfig | None,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    report: Report,
    warn: Callable[[str], None],
) -> None:
    """Take every step; without ``config`` only those that look at this machine."""
    remote = None
    if config:
        remote = await _examine_remote(config, catalogue, environment, report, warn)
        report.add(_guard(config))
    # The remote steps come first: the local ones compare their releases with the remote node's.
    await examine_machine(
        environment,
        report,
        remote=remote,
        alias=(config.as_name if config else "") or (remote.name if remote else ""),
        cookie_file=config.local_cookie_file if config else None,
    )


def _guard(config: SessionConfig) -> Step:
    timer, line = StepTimer(StepName.GUARD), guard_line(config.guard)
    if config.guard == GuardConfig():
        return timer.ok(line)
    return timer.note(
        line, remedy="Leave --allow-stop and --inbound, or the profile's keys, out for full guard."
    )


async def _examine_remote(
    config: SessionConfig,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    report: Report,
    warn: Callable[[str], None],
) -> RemoteNode | None:
    timer = StepTimer(StepName.DISCOVERY)
    try:
        async with inspection_session(config, catalogue, environment, warn) as inspection:
            return await examine_target(inspection, report)
    except ErlconnectError as error:
        # Before the first step only the creation of the backend fails.
        if report.has_begun(StepName.DISCOVERY):
            raise
        report.add(timer.failed(error))
        report.skip(REMOTE_STEPS[1:], "the backend cannot be asked")
    return None


async def needed_rights(
    config: SessionConfig,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> str:
    """Return the smallest rights for the backend, and for the cookie source where one was named.

    Raises ``UsageError`` where neither is of a platform that gives rights.
    """
    query = Query(service=config.service)
    parts = []
    async with inspection_session(config, catalogue, environment, warn) as inspection:
        for kind, name, offer in _plugins_in_use(inspection):
            if isinstance(offer, DescribesRights):
                with catalogue.attribute_errors(kind, name, "rights()"):
                    parts.append(await offer.rights(query, inspection.context.discovery))
    if not parts:
        raise UsageError(
            f"{config.backend.name} has no roles or policies that could be printed",
            remedy="--role is for backends that ask for rights: kubernetes, consul.",
        )
    return "\n".join(parts)


def _plugins_in_use(inspection: InspectionSession) -> Iterator[tuple[Kind, str, object]]:
    config = inspection.context.config
    yield Kind.BACKEND, config.backend.name, inspection.context.plugins.backend()
    if config.cookie_source.name:
        # Rights are asked for before any target is known; a cookie source needs one to be made.
        any_target = Target(node=NodeName(name="", host=""), address="")
        for one in inspection.context.plugins.cookie_sources(any_target):
            yield Kind.COOKIE_SOURCE, one.name, one.source
