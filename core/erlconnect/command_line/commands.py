"""The commands of ``erlconnect``: their help, arguments and options, declared for typer.

Imported at every start, so ``--help`` and completion stay quick: each command imports its body when
it runs, from the file of its name. ``app`` registers the commands.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from erlconnect.command_line import completion, options
from erlconnect.command_line.options import CliOptions, OutputOptions, takes_cli_options
from erlconnect.errors import ConfigurationError, UsageError

CONNECT_HELP: Final = """
Connect to each TARGET and stay in the foreground. This is what happens without a command.

Examples:

  erlconnect -b dns my-service.shop.svc.cluster.local

  erlconnect staging/shop staging/billing

  erlconnect -p production shop --dry-run

  erlconnect -b fixed app@10.3.2.1 --via 'ssh -W %h:%p bastion' --cookie-from file:app.cookie
"""


@takes_cli_options()
def connect(
    *,
    target: options.Targets,
    cli: CliOptions,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Serve a session, or print its plan."""
    from erlconnect.command_line.connect import serve, show_plans  # noqa: PLC0415

    output = OutputOptions(as_json=json, quiet=quiet, verbose=verbose)
    if dry_run:
        show_plans(target, cli, output)
    else:
        raise typer.Exit(serve(target, cli, output))


PING_HELP: Final = """
Shake hands with TARGET and leave: how long each phase took. It needs no Erlang on this machine.

With a cookie it is the whole handshake, in which both sides prove it; without one it ends where
the remote node has said its name. Either way the node sees nobody but a hidden visitor.

Examples:

  erlconnect ping -b fixed app@10.3.2.1 --cookie-from env:APP_COOKIE

  erlconnect ping -b dns shop.internal --json
"""


@takes_cli_options(
    # Options of aliases and of local nodes; a ping has neither.
    without=("all_targets", "visible", "as_name", "local_cookie_file", "allow_stop", "inbound")
)
def ping(
    *,
    target: options.Target,
    cli: CliOptions,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Ping a target."""
    from erlconnect.command_line.ping import ping_once  # noqa: PLC0415

    ping_once(target, cli, OutputOptions(as_json=json, quiet=quiet, verbose=verbose))


TARGETS_HELP: Final = """
List what the backend finds for TARGET, and what a knock at each tells: its real name, its port,
its Erlang release. It needs no cookie and no Erlang on this machine.

Examples:

  erlconnect targets -b dns _epmd._tcp.shop.internal

  erlconnect targets -b consul shop --json
"""


@takes_cli_options(
    without=(
        "all_targets",
        # The names are read before any cookie has to be proved.
        "cookie_from",
        "visible",
        "as_name",
        "local_cookie_file",
        "allow_stop",
        "inbound",
    )
)
def targets(
    *,
    target: options.Target,
    cli: CliOptions,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """List targets."""
    from erlconnect.command_line.targets import list_targets  # noqa: PLC0415

    list_targets(target, cli, OutputOptions(as_json=json, quiet=quiet, verbose=verbose))


STATUS_HELP: Final = """
Show your running sessions: aliases, links, bytes, rates and rewritten names.

Examples:

  erlconnect status

  erlconnect status --watch

  erlconnect status --json
"""
Watch = Annotated[
    bool,
    typer.Option(
        "--watch", "-w", help="Go on until Ctrl-C, once a second.", rich_help_panel=options.OUTPUT
    ),
]


def status(*, watch: Watch = False, as_json: options.Json = False) -> None:
    """Show the running sessions."""
    from erlconnect.command_line.status import show_status  # noqa: PLC0415

    show_status(watch=watch, as_json=as_json)


DOCTOR_HELP: Final = """
Look at each step on the way to TARGET and at this machine: what was seen, and what to do.

Without TARGET it looks at this machine alone. Its connection is hidden over there and leaves
nothing behind.

Examples:

  erlconnect doctor

  erlconnect doctor -b dns shop.internal --cookie-from file:shop.cookie

  erlconnect doctor -b consul shop --role
"""


@takes_cli_options(without=("all_targets", "visible"))
def doctor(
    *,
    target: options.OptionalTarget = None,
    cli: CliOptions,
    role: options.Role = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Run the diagnostic steps, or print the role that is needed."""
    from erlconnect.command_line.doctor import diagnose, print_role  # noqa: PLC0415

    if role:
        print_role(target, cli, OutputOptions(as_json=json))
        return
    output = OutputOptions(as_json=json, quiet=quiet, verbose=verbose)
    raise typer.Exit(diagnose(target, cli, output))


RUN_HELP: Final = """
Connect to TARGET for as long as a program runs.

The session has an epmd of its own, and the program has the variables that lead to it. Its exit
code is passed through.

Examples:

  erlconnect run -b dns my-service.internal -- erl_call -name my_service@127.0.0.1 -a 'erlang node'

  erlconnect run -b fixed rabbit@10.3.2.1 --export-cookie -- rabbitmqctl status

  erlconnect run -b fixed app@10.3.2.1 -- sh -c 'iex --name dev@127.0.0.1 --remsh $ERLCONNECT_ALIAS'
"""
Command = Annotated[
    list[str],
    typer.Argument(metavar="-- CMD...", help="The program and its arguments.", show_default=False),
]
ExportCookie = Annotated[
    bool,
    typer.Option(
        "--export-cookie",
        help="Put the local cookie into the program's environment, for those that read it there.",
        rich_help_panel=options.HERE,
    ),
]


@takes_cli_options(without=("all_targets", "visible"))
def run(
    *,
    target: options.Target,
    command: Command,
    cli: CliOptions,
    export_cookie: ExportCookie = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Run the program in a session."""
    from erlconnect.command_line.child_session import run_command  # noqa: PLC0415

    # Checked before the session is opened, which would only have to end again.
    if shutil.which(command[0]) is None:
        raise ConfigurationError(
            f"there is no program {command[0]} on the PATH",
            remedy="Check its name; it is run without a shell.",
        )
    output = OutputOptions(quiet=quiet, verbose=verbose)
    code = run_command(command, target, cli, output, os.environ, export_cookie=export_cookie)
    raise typer.Exit(code)


SHELL_HELP: Final = """
Open a shell in the remote node: iex where it has Elixir, else erl.

The session has an epmd, a cookie and a node name of its own, and ends with the shell.

Examples:

  erlconnect shell -b dns my-service.shop.svc.cluster.local

  erlconnect shell -b consul shop --cookie-from consul-kv:erlang/cookie

  erlconnect shell -b fixed app@10.3.2.1 --cookie-from env:APP_COOKIE --erl
"""
Iex = Annotated[
    bool | None,
    typer.Option(
        "--iex/--erl",
        help="The shell to open. Default: iex where it is here and the remote node has the same.",
        show_default=False,
        rich_help_panel=options.HERE,
    ),
]


@takes_cli_options(without=("all_targets", "visible", "as_name", "local_cookie_file"))
def shell(
    *,
    target: options.Target,
    cli: CliOptions,
    iex: Iex = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Open the shell in a session."""
    from erlconnect.command_line.shell import open_shell  # noqa: PLC0415

    _require_terminal()
    output = OutputOptions(quiet=quiet, verbose=verbose)
    raise typer.Exit(open_shell(target, cli, output, os.environ, iex=iex))


def _require_terminal() -> None:
    """Raise ``UsageError`` for pipes.

    iex and erl would then evaluate their input in the local node, without an error.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "a shell needs a terminal, and stdin or stdout is none",
            remedy="For a single call use `erlconnect run TARGET -- erl_call ...`.",
        )


def demo() -> None:
    """Start a real remote node and a real DNS server, connect, and call through the alias.

    Examples:

      erlconnect demo
    """
    from erlconnect.command_line.demo import run_demo  # noqa: PLC0415

    run_demo()


def plugins(
    *,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show this one with its settings.")
    ] = None,
    config: options.ConfigFile = None,
    as_json: options.Json = False,
) -> None:
    """List the backends, cookie sources and transports that are installed.

    Examples:

      erlconnect plugins

      erlconnect plugins dns

      erlconnect plugins --json
    """
    from erlconnect.command_line.plugins import list_plugins  # noqa: PLC0415

    list_plugins(name, config, as_json=as_json)


TRUST_HELP: Final = """
Trust a project's erlconnect.toml, until it changes.

Until then such a file chooses among your own profiles and names services, and no more: whoever
connects lets the other node run code on this machine.

Examples:

  erlconnect trust

  erlconnect trust ../erlconnect.toml --yes

  erlconnect trust --forget
"""


def trust(
    *,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="Default: the nearest erlconnect.toml.", show_default=False
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask.", rich_help_panel=options.HERE)
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Trust it no longer.", rich_help_panel=options.HERE)
    ] = False,
    no_input: options.NoInput = False,
) -> None:
    """Trust a file, or trust it no longer."""
    from erlconnect.command_line import trust  # noqa: PLC0415

    if forget:
        trust.forget_file(file)
    else:
        trust.trust_file(file, yes=yes, no_input=no_input)


PROFILES_HELP: Final = """
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
ProfileName = Annotated[
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
    typer.Option(
        "--print", help="Write to stdout and make no file.", rich_help_panel=options.OUTPUT
    ),
]
profiles_group = typer.Typer(
    help=PROFILES_HELP,
    invoke_without_command=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@profiles_group.callback()
def profiles(
    context: typer.Context, *, config: options.ConfigFile = None, as_json: options.Json = False
) -> None:
    """List the profiles; the commands below look into one."""
    # Typer runs this before every subcommand, too.
    if not context.invoked_subcommand:
        from erlconnect.command_line.profiles import list_profiles  # noqa: PLC0415

        list_profiles(config, as_json=as_json)


@profiles_group.command("show", help=_SHOW)
def profiles_show(
    *, name: ProfileName, config: options.ConfigFile = None, as_json: options.Json = False
) -> None:
    """Show the values of a profile."""
    from erlconnect.command_line.profiles import show_profile  # noqa: PLC0415

    show_profile(name, config, as_json=as_json)


@profiles_group.command("explain", help=_EXPLAIN)
def profiles_explain(
    *, name: ProfileName, config: options.ConfigFile = None, as_json: options.Json = False
) -> None:
    """Show the values of a profile with their sources."""
    from erlconnect.command_line.profiles import explain_profile  # noqa: PLC0415

    explain_profile(name, config, as_json=as_json)


@profiles_group.command("check", help=_CHECK)
def profiles_check(*, config: options.ConfigFile = None, as_json: options.Json = False) -> None:
    """Show the mistakes in the files."""
    from erlconnect.command_line.profiles_check import check_profiles  # noqa: PLC0415

    raise typer.Exit(check_profiles(config, as_json=as_json))


@profiles_group.command("init", help=_INIT)
def profiles_init(*, config: options.ConfigFile = None, to_stdout: ToStdout = False) -> None:
    """Write a first file."""
    from erlconnect.command_line.profiles_check import init_profiles  # noqa: PLC0415

    init_profiles(config, to_stdout=to_stdout)


@profiles_group.command("schema", help=_SCHEMA)
def profiles_schema() -> None:
    """Print the JSON schema of the files."""
    from erlconnect.command_line.profiles import print_schema  # noqa: PLC0415

    print_schema()
