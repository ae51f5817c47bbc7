"""``erlconnect profiles`` and the commands below it: their options, their help, no more."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from erlconnect.command_line import completion, options

_HELP: Final = """
List the profiles of the configuration files, and look into them.

Examples:

  erlconnect profiles init

  erlconnect profiles explain staging/my-service

  erlconnect profiles check
"""
_SHOW: Final = """
Show what holds for a profile, as TOML.

Examples:

  erlconnect profiles show staging

  erlconnect profiles show staging/my-service --json
"""
_EXPLAIN: Final = """
Show each value of a profile with the place where it is written, and what it is used over.

Examples:

  erlconnect profiles explain staging

  ERLCONNECT_DNS_SERVER=10.3.2.53 erlconnect profiles explain staging/my-service
"""
_CHECK: Final = """
Look for every mistake in the configuration files; the exit code is 78 if there is one.

Examples:

  erlconnect profiles check

  erlconnect profiles check --config erlconnect.toml --json
"""
_INIT: Final = """
Write a first configuration file, with a profile for each place that is found on this machine.

These are the contexts of the kubeconfig, the agent of CONSUL_HTTP_ADDR, and the project that
`railway link` named for this folder. A file that is there stays as it is.

Examples:

  erlconnect profiles init

  erlconnect profiles init --print
"""
_SCHEMA: Final = """
Print the JSON schema of configuration files, with the settings of what is installed, for editors.

Examples:

  erlconnect profiles schema > ~/.config/erlconnect/config.schema.json
"""

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME[/SERVICE]",
        help="A profile, and the service of it that is meant.",
        autocompletion=completion.profiles_and_services,
        show_default=False,
    ),
]
ToStdout = Annotated[
    bool,
    typer.Option("--print", help="Write to stdout and make no file.", rich_help_panel=options.TALK),
]

group = typer.Typer(
    help=_HELP,
    invoke_without_command=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@group.callback()
def profiles(
    context: typer.Context, *, config: options.ConfigFile = None, as_json: options.Json = False
) -> None:
    """List the profiles; the commands below look into one."""
    if not context.invoked_subcommand:
        from erlconnect.command_line.profiles_list import list_profiles  # noqa: PLC0415 - as below

        list_profiles(config, as_json=as_json)


@group.command("show", help=_SHOW)
def show(*, name: Name, config: options.ConfigFile = None, as_json: options.Json = False) -> None:
    """Show what holds."""
    from erlconnect.command_line.profiles_explain import show  # noqa: PLC0415 - --help is quick

    show(name, config, as_json=as_json)


@group.command("explain", help=_EXPLAIN)
def explain(
    *, name: Name, config: options.ConfigFile = None, as_json: options.Json = False
) -> None:
    """Show what holds, and why."""
    from erlconnect.command_line.profiles_explain import explain  # noqa: PLC0415 - --help is quick

    explain(name, config, as_json=as_json)


@group.command("check", help=_CHECK)
def check(*, config: options.ConfigFile = None, as_json: options.Json = False) -> None:
    """Show what is wrong."""
    from erlconnect.command_line.profiles_check import check  # noqa: PLC0415 - --help is quick

    raise typer.Exit(check(config, as_json=as_json))


@group.command("init", help=_INIT)
def init(*, config: options.ConfigFile = None, to_stdout: ToStdout = False) -> None:
    """Begin a file."""
    from erlconnect.command_line.profiles_init import init  # noqa: PLC0415 - --help is quick

    init(config, to_stdout=to_stdout)


@group.command("schema", help=_SCHEMA)
def schema() -> None:
    """Show what may be in a file."""
    from erlconnect.command_line.profiles_list import print_schema  # noqa: PLC0415 - --help is quick

    print_schema()
