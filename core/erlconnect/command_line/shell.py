"""``erlconnect shell``: iex or erl in the remote node, with a home, a cookie and a name of its own.

Erlang reads its cookie from HOME and from nowhere else that others cannot read: arguments are
visible to all users, and an environment is inherited. So the shell gets a temporary HOME with a
cookie that was made for this session; everything else in it links to the user's own files, so that
version managers and histories work.

A short-lived local node first asks the remote one through the alias which shell it can have. A link
that is refused is thereby known before a shell starts: iex and erl hide the reason, and erl goes on
in the local node. iex of another minor version of Elixir ends at once, or at the first line typed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from erlconnect.command_line.child_session import ChildCommand, child_environment, run_child_session
from erlconnect.cookie_file import default_cookie_file, make_cookie_file
from erlconnect.diagnostics.local_steps import local_elixir
from erlconnect.diagnostics.otp_releases import minor_of
from erlconnect.errors import ConfigurationError, TimedOutError, UnreachableError
from erlconnect.net.subprocesses import child_output
from erlconnect.session.cookies import PASSTHROUGH
from erlconnect.session.events import Warned
from erlconnect.session.instance_lock import instance_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from erlconnect.command_line.child_session import ReadySession
    from erlconnect.command_line.options import CliOptions, OutputOptions
    from erlconnect.errors import ErlconnectError

_COOKIE: Final = ".erlang.cookie"
# Only the session has to reach the shell's node.
_LOOPBACK_ONLY: Final = "-kernel inet_dist_use_interface {127,0,0,1}"
# The name is the same each time: the epmd is the session's own, so it cannot be taken, and every
# new name would stay in the remote node's atom table for ever.
_SHELL_NAME: Final = "shell@127.0.0.1"
_PROBE_NAME: Final = "shell-probe@127.0.0.1"
_PROBE_SECONDS: Final = 20.0
# A release contains IEx and starts it with the first shell; the application elixir has to run
# before that. code:which/1 loads no module into the remote node.
_PROBE: Final = """
Alias = list_to_atom(os:getenv("ERLCONNECT_ALIAS")),
Ask = fun(M, F, A) -> rpc:call(Alias, M, F, A, 5000) end,
Shell = fun() ->
    Elixir = lists:keyfind(elixir, 1, Ask(application, which_applications, [])),
    case Elixir =:= false orelse Ask(code, which, ['Elixir.IEx']) =:= non_existing of
        true -> "erl";
        false -> "iex " ++ element(3, Elixir)
    end
end,
io:put_chars(case net_kernel:connect_node(Alias) of true -> Shell(); _ -> "false" end),
halt().
"""


def open_shell(
    target: str,
    cli: CliOptions,
    output: OutputOptions,
    environment: Mapping[str, str],
    *,
    iex: bool | None,
) -> int:
    """Open a shell in a session of its own; return the exit code."""
    with instance_lock(environment) as lock:
        home = temp_home(lock.folder, environment)

        async def prepare(session: ReadySession) -> ChildCommand:
            # With passthrough the local node proves the cookie itself: it needs the user's file.
            shared = session.ready.aliases[0].cookie_source == PASSTHROUGH
            cookie_file = default_cookie_file() if shared else cookie_file_in(home)
            variables = child_environment(environment, session.ready, cookie_file)
            variables["ERL_FLAGS"] += f" {_LOOPBACK_ONLY}"
            if not shared:
                variables["HOME"] = str(home)
            reporter = session.reporter
            words = await choose_shell(
                variables,
                lambda: reporter.last_error,
                lambda message: reporter.report(Warned(message=message)),
                iex=iex,
            )
            return ChildCommand(words=words, environment=variables)

        cli = replace(cli, local_cookie_file=cookie_file_in(home))
        return run_child_session(target, cli, lock, output, prepare)


def temp_home(folder: Path, environment: Mapping[str, str]) -> Path:
    """Make a home with a new cookie in ``folder``, which nobody else can enter; return its path."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    make_cookie_file(cookie_file_in(home))
    with contextlib.suppress(OSError):
        # Without a HOME that can be read there is nothing to link to.
        for entry in os.scandir(environment.get("HOME", "")):
            if entry.name != _COOKIE:
                (home / entry.name).symlink_to(Path(entry.path).absolute())
    return home


def cookie_file_in(home: Path) -> Path:
    """Return where Erlang looks for its cookie."""
    return home / _COOKIE


async def choose_shell(
    variables: Mapping[str, str],
    last_error: Callable[[], ErlconnectError | None],
    warn: Callable[[str], None],
    *,
    iex: bool | None,
) -> list[str]:
    """Return the command line of the shell: iex or erl, as ``iex`` demands where it is no ``None``.

    ``last_error`` returns why the session let no link come up; ``warn`` is called where the two
    versions of Elixir do not fit. Raises that error, or another ``ErlconnectError`` where no shell
    can be opened.
    """
    path = variables.get("PATH")
    for program in ("erl", *(["iex"] if iex else [])):
        if shutil.which(program, path=path) is None:
            raise _not_installed(program)
    printed = await _probe(variables)
    found, _, there = printed.partition(" ")
    if found not in ("iex", "erl"):
        raise last_error() or UnreachableError(
            f"the local Erlang could not reach the remote node: {printed or 'it printed nothing'}",
            remedy="Run again with `-v` to see what the session saw.",
        )
    has_both = found == "iex" and shutil.which("iex", path=path) is not None
    fits = iex is False or not has_both or await _fits(variables, there, warn, iex=iex)
    if iex is None:
        iex = has_both and fits
    return _words(variables["ERLCONNECT_ALIAS"], iex=iex)


async def _fits(
    variables: Mapping[str, str], there: str, warn: Callable[[str], None], *, iex: bool | None
) -> bool:
    """Return whether iex of this machine works with version ``there`` of Elixir."""
    here = await local_elixir(variables)
    if here is None or not here.version or minor_of(here.version) == minor_of(there):
        return True
    choice = "it may end at once" if iex else "so this is erl; --iex tries it all the same"
    warn(
        f"iex of Elixir {here.version} here and of {there} there do not fit: {choice}. "
        f"With Elixir {minor_of(there)} here it works"
    )
    return False


def _words(alias: str, *, iex: bool) -> list[str]:
    if iex:
        return ["iex", "--name", _SHELL_NAME, "--remsh", alias]
    return ["erl", "-name", _SHELL_NAME, "-remsh", alias]


async def _probe(variables: Mapping[str, str]) -> str:
    """Return what the local node printed: the shell to use, or what went wrong."""
    words = ["erl", "-noinput", "-name", _PROBE_NAME, "-eval", _PROBE]
    try:
        output = await child_output(
            words, deadline=_PROBE_SECONDS, environment=variables, merged=True
        )
    except TimeoutError as error:
        raise TimedOutError(
            f"the local Erlang was still asking the remote node after {_PROBE_SECONDS:g} s",
            remedy="Try again; if it stays so, the remote node is overloaded.",
        ) from error
    return output.stdout.decode(errors="replace").strip()


def _not_installed(program: str) -> ConfigurationError:
    return ConfigurationError(
        f"{program} is not on the PATH, and a shell needs it",
        remedy=f"Install {'Elixir' if program == 'iex' else 'Erlang'} on this machine.",
    )
