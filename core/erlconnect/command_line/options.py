"""The options of the command line: each declared once, and the objects that carry their values.

``commands`` takes the annotated types as parameters. Typer reads them at every start, so nothing
heavy is imported here. What the values mean is decided in ``resolve``.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from erlconnect.command_line import completion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence


class InboundChoice(StrEnum):
    """What the remote node may do here."""

    GUARDED = "guarded"
    FULL = "full"


# The panels of --help in which options stand together.
WHICH = "What to connect to"
HOW = "How"
HERE = "On this machine"
OUTPUT = "Output"
CALL = "The call"
SHOWN = "What is shown"
_TARGET: Final = typer.Argument(
    metavar="TARGET",
    help="What the backend is to look for; PROFILE/NAME names the profile, too.",
    show_default=False,
    autocompletion=completion.targets,
)
Target = Annotated[str, _TARGET]
Targets = Annotated[list[str], _TARGET]
OptionalTarget = Annotated[
    str | None,
    typer.Argument(
        metavar="[TARGET]",
        help="What the backend is to look for; PROFILE/NAME names the profile, too.",
        show_default=False,
        autocompletion=completion.targets,
    ),
]
Backend = Annotated[
    str | None,
    typer.Option(
        "--backend",
        "-b",
        metavar="NAME",
        help="What finds the node.",
        rich_help_panel=WHICH,
        autocompletion=completion.backends,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        "-p",
        metavar="NAME",
        help="A profile of the configuration file; `erlconnect profiles` lists them.",
        rich_help_panel=WHICH,
        autocompletion=completion.profiles,
    ),
]
Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        metavar="KEY=VALUE",
        help="A setting of the backend; transport.KEY= and cookie.KEY= for those. Repeatable.",
        rich_help_panel=WHICH,
    ),
]
Node = Annotated[
    str | None,
    typer.Option(
        "--node",
        metavar="NAME",
        help="Which of several targets, or of several names in the remote epmd.",
        rich_help_panel=WHICH,
    ),
]
All = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Every target, each with an alias, as they come and go.",
        rich_help_panel=WHICH,
    ),
]
CookieFrom = Annotated[
    str | None,
    typer.Option(
        "--cookie-from",
        metavar="NAME[:ARG]",
        help="Where the remote cookie is: env:VARIABLE, file:PATH, command:CMD, prompt, "
        "passthrough. Default: what the backend says, then ~/.erlang.cookie.",
        rich_help_panel=HOW,
        autocompletion=completion.cookie_sources,
    ),
]
Transport = Annotated[
    str | None,
    typer.Option(
        "--transport",
        metavar="NAME",
        help="How to get there. Default: what the backend says, then direct.",
        rich_help_panel=HOW,
        autocompletion=completion.transports,
    ),
]
Via = Annotated[
    str | None,
    typer.Option(
        "--via",
        metavar="COMMAND",
        help="Reach the node through a program's stdin and stdout, e.g. "
        "'ssh -W %h:%p bastion'. Short for the transport command.",
        rich_help_panel=HOW,
    ),
]
CallerName = Annotated[
    str | None,
    typer.Option(
        "--caller-name",
        metavar="NAME",
        help="The local node's name on the remote side, e.g. for an allow-list.",
        rich_help_panel=HOW,
    ),
]
Visible = Annotated[
    bool,
    typer.Option(
        "--visible",
        help="Do not hide local nodes. Dangerous: global may take the remote cluster apart.",
        rich_help_panel=HOW,
    ),
]
AllowStop = Annotated[
    bool,
    typer.Option(
        "--allow-stop",
        help="Let through what ends or restarts the remote node, such as init:stop() and q().",
        rich_help_panel=HOW,
    ),
]
# None where it is not given, so that the value of a profile holds.
Inbound = Annotated[
    InboundChoice | None,
    typer.Option(
        "--inbound",
        help="What the remote node may do here: guarded refuses whatever runs code. "
        "Default: guarded.",
        show_default=False,
        rich_help_panel=HOW,
    ),
]
AsName = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="NAME",
        help="The name part of the alias. Default: that of the remote node.",
        rich_help_panel=HERE,
    ),
]
LocalCookieFile = Annotated[
    Path | None,
    typer.Option(
        "--local-cookie-file",
        metavar="PATH",
        help="The cookie of the local nodes. Default: ~/.erlang.cookie, made if missing.",
        rich_help_panel=HERE,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Show what would be done, and where the cookie would come from; reach no node.",
        rich_help_panel=OUTPUT,
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Read only this configuration.", rich_help_panel=HERE
    ),
]
NoInput = Annotated[
    bool, typer.Option("--no-input", help="Never ask anything.", rich_help_panel=HERE)
]
Json = Annotated[
    bool,
    typer.Option("--json", help="One JSON object a line on stdout.", rich_help_panel=OUTPUT),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Log to stderr.", rich_help_panel=OUTPUT)
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only the result.", rich_help_panel=OUTPUT)
]
Role = Annotated[
    bool,
    typer.Option(
        "--role",
        help="Only print the smallest role or policy that suffices, ready to be applied.",
        rich_help_panel=OUTPUT,
    ),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Exit with 70 where the result is `error` or `{error, ...}`.",
        rich_help_panel=CALL,
    ),
]
# Text here: ``parse_time`` in ``remote_calls`` reads the unit.
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="TIME",
        help="Kill the remote process after so long: 30s, 5m, 1h. Default: never.",
        rich_help_panel=CALL,
    ),
]
# None where neither is given: then the module and the node decide.
Elixir = Annotated[
    bool | None,
    typer.Option(
        "--elixir/--erlang",
        help="The language. Default: Elixir for its modules and where the node has it.",
        rich_help_panel=CALL,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CliOptions:
    """What the command line says of the connection, beside the names of targets."""

    backend: str | None = None
    profile: str | None = None
    option: Sequence[str] = ()
    node: str | None = None
    all_targets: bool = False
    cookie_from: str | None = None
    transport: str | None = None
    via: str | None = None
    caller_name: str | None = None
    visible: bool = False
    allow_stop: bool = False
    inbound: InboundChoice | None = None
    as_name: str | None = None
    local_cookie_file: Path | None = None
    config: Path | None = None
    no_input: bool = False

    @property
    def transport_name(self) -> str | None:
        """The transport that is named; ``--via`` is short for one."""
        return "command" if self.via else self.transport


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """In which form a command shows things, and how much of them."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False


# By the names of the fields of ``CliOptions``.
_DECLARATIONS: Final[Mapping[str, Any]] = {
    "backend": Backend,
    "profile": Profile,
    "option": Setting,
    "node": Node,
    "all_targets": All,
    "cookie_from": CookieFrom,
    "transport": Transport,
    "via": Via,
    "caller_name": CallerName,
    "visible": Visible,
    "allow_stop": AllowStop,
    "inbound": Inbound,
    "as_name": AsName,
    "local_cookie_file": LocalCookieFile,
    "config": ConfigFile,
    "no_input": NoInput,
}


def takes_cli_options(
    *, without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator for a command that takes the fields of ``CliOptions`` as options.

    The command gets them together, as its parameter ``cli``. Fields that are named in ``without``
    mean nothing to the command and are no options of it.
    """
    # In the order of the declarations, which is that of --help.
    taken = [name for name in _DECLARATIONS if name not in without]

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def called(**values: Any) -> None:
            options = {name: values.pop(name) for name in taken}
            # Typer passes None for a repeatable option that was not given.
            command(cli=CliOptions(**{**options, "option": options["option"] or ()}), **values)

        # Annotations are strings in this package; typer needs the objects, so they are evaluated.
        # Typer reads the options off the signature, so ``cli`` is replaced there by its fields.
        parameters = list(inspect.signature(command, eval_str=True).parameters.values())
        at = [parameter.name for parameter in parameters].index("cli")
        parameters[at : at + 1] = [_parameter(name) for name in taken]
        # inspect.signature would follow __wrapped__, which wraps() has set, if this were missing.
        called.__dict__["__signature__"] = inspect.Signature(parameters)
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        return called

    return with_options


def _parameter(name: str) -> inspect.Parameter:
    default = CliOptions.__dataclass_fields__[name].default
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        # Typer wants a list or None for an option that may be repeated.
        default=None if name == "option" else default,
        annotation=_DECLARATIONS[name],
    )
