"""All steps in their order: the way to a target, what its node says, and this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.errors import ErlconnectError
from erlconnect.session.examination.local_steps import examine_machine
from erlconnect.session.examination.remote_steps import REMOTE_STEPS, examine_target
from erlconnect.session.examination.steps import Stage, StepName
from erlconnect.session.lookout import lookout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from erlconnect.plugin_catalogue.catalogue import Catalogue
    from erlconnect.session.choices import Choices
    from erlconnect.session.examination.remote_steps import RemoteNode
    from erlconnect.session.examination.steps import Examination


async def examine(
    choices: Choices | None,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    examination: Examination,
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
    choices: Choices,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    examination: Examination,
    warn: Callable[[str], None],
) -> RemoteNode | None:
    stage = Stage(StepName.DISCOVERY)
    try:
        async with lookout(choices, catalogue, environment, warn) as looking:
            return await examine_target(looking, examination)
    except ErlconnectError as error:
        if examination.has_begun(StepName.DISCOVERY):
            raise
        examination.add(stage.failed(error))
        examination.skip(REMOTE_STEPS[1:], "the backend cannot be asked")
    return None
