"""Questions before what cannot be taken back; where nobody can be asked it is an error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from erlconnect.errors import InterruptedByUserError, UsageError

if TYPE_CHECKING:
    from erlconnect.configuration.profiles import Profile
    from erlconnect.session.choices import Choices


def confirm(question: str, *, asked_by: str, remedy: str, no_input: bool) -> None:
    """Go on after a yes.

    Raises ``InterruptedByUserError`` after anything else, and ``UsageError`` with ``remedy`` where
    there is no terminal or ``--no-input`` was given. ``asked_by`` begins that message.
    """
    if no_input or not sys.stdin.isatty():
        raise UsageError(
            f"{asked_by} asks for confirmation, and nobody can be asked here", remedy=remedy
        )
    try:
        sure = typer.confirm(question, err=True)
    except typer.Abort:
        sure = False
    if not sure:
        raise InterruptedByUserError("stopped before anything was opened", remedy="")


def confirm_visible(*, no_input: bool) -> None:
    """Ask before a local node becomes a visible member of the remote cluster."""
    confirm(
        "A visible local node joins the remote cluster: `global` of OTP 25 and later may then "
        "disconnect production nodes from each other. Go on?",
        asked_by="--visible",
        remedy="Leave --visible out: hidden nodes can call, trace and observe all the same.",
        no_input=no_input,
    )


def confirm_profile(choices: Choices, profile: Profile, *, no_input: bool) -> None:
    """Ask before a profile is used that wants to be asked for."""
    wanted = profile.get("confirm")
    if wanted is None or wanted.value is not True:
        return
    settings = {key: one.value for key, one in choices.settings.backend.items()}
    settings |= choices.options.backend
    shown = ", ".join([choices.backend, *(f"{key} {value}" for key, value in settings.items())])
    confirm(
        f"{choices.service} in the profile {profile.name} ({shown}). Connect?",
        asked_by=f"the profile {profile.name} ({wanted.where})",
        remedy="Answer at a terminal, without --no-input. What needs no question belongs into a "
        "profile without `confirm = true`.",
        no_input=no_input,
    )
