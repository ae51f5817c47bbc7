"""Questions before what cannot be taken back; where nobody can be asked it is an error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from erlconnect.configuration.setting_fields import secret_keys
from erlconnect.errors import InterruptedByUserError, UsageError
from erlconnect.plugin_catalogue.kinds import Kind
from erlconnect.plugin_catalogue.profile_values import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.configuration.profile import Profile
    from erlconnect.plugin_catalogue import Catalogue
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


def confirm_profiles(
    chosen: Sequence[tuple[Choices, Profile]], catalogue: Catalogue, *, no_input: bool
) -> None:
    """Ask before profiles are used that want to be asked for; once for each of them."""
    wanted = {one.name: found for _, one in chosen if (found := one.get("confirm")) and found.value}
    for name, confirmed in wanted.items():
        there = [choices for choices, one in chosen if one.name == name]
        places = "; ".join(_place(choices, catalogue) for choices in there)
        confirm(
            f"The profile {name} leads to {places}. Connect?",
            asked_by=f"the profile {name} ({confirmed.where})",
            remedy="Answer at a terminal, without --no-input. What needs no question belongs into "
            "a profile without `confirm = true`.",
            no_input=no_input,
        )


def _place(choices: Choices, catalogue: Catalogue) -> str:
    """Say where a connection would go: what is looked for, by which backend with which settings."""
    settings = {key: one.value for key, one in choices.settings.backend.items()}
    settings |= choices.options.backend
    offer = catalogue.offer(Kind.BACKEND, choices.backend)
    hidden = dict.fromkeys(secret_keys(offer.settings) & set(settings), HIDDEN)
    shown = [f"{key} {value}" for key, value in {**settings, **hidden}.items()]
    return f"{choices.service} ({', '.join([choices.backend, *shown])})"
