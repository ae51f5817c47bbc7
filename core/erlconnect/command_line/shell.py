"""The child of ``erlconnect shell``: iex or erl, with a home, a cookie and a name for this session.

The name is the same each time, because the session's epmd is its own and every new name would stay
in the remote node's atom table for ever.

A HOME in which Erlang finds a cookie that was made for one session.

Erlang reads its cookie from HOME and nowhere else that others cannot look: arguments are open to
all, and an environment goes on to children. Everything else in it is the user's own, by links, so
that version managers and histories work.

Which shell to open: iex or erl, by what is installed here and what runs there.

A short-lived local node asks the remote one through the alias. So a link that is refused is known
before a shell is opened: iex and erl hide the reason, and erl goes on in the local node. iex of
another minor version of Elixir ends at once, or at the first line typed.
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

    from erlconnect.command_line.child_session import ReadySession, Verbosity
    from erlconnect.command_line.options import CliOptions
    from erlconnect.errors import ErlconnectError

_COOKIE: Final = ".erlang.cookie"


def temp_home(folder: Path, environment: Mapping[str, str]) -> Path:
    """Make a home below ``folder``, which nobody else can enter; return its path."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    make_cookie_file(cookie_file_in(home))
    with contextlib.suppress(OSError):
        for entry in os.scandir(environment.get("HOME", "")):
            if entry.name != _COOKIE:
                (home / entry.name).symlink_to(Path(entry.path).absolute())
    return home


def cookie_file_in(home: Path) -> Path:
    """Say where Erlang looks for its cookie."""
    return home / _COOKIE


_SHELL_NAME: Final = "shell@127.0.0.1"
_PROBE_NAME: Final = "shell-probe@127.0.0.1"
_PROBE_SECONDS: Final = 20.0
# A release has IEx and starts it with the first shell; Elixir itself has to run before. Asking
# where a module is loads nothing into the remote node.
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


async def choose_shell(
    variables: Mapping[str, str],
    refusal: Callable[[], ErlconnectError | None],
    warn: Callable[[str], None],
    *,
    iex: bool | None,
) -> list[str]:
    """Return the words of the shell; ``iex`` says whether it has to be that one, or erl.

    ``refusal`` tells why the session let no link come up; ``warn`` is told where two Elixirs do
    not fit. Raises ``refusal``'s error, or another ``ErlconnectError`` where no shell can be
    opened.
    """
    path = variables.get("PATH")
    for program in ("erl", *(["iex"] if iex else [])):
        if shutil.which(program, path=path) is None:
            raise _not_installed(program)
    printed = await _probe(variables)
    found, _, there = printed.partition(" ")
    if found not in ("iex", "erl"):
        raise refusal() or UnreachableError(
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
    """Return whether iex of this machine can be a shell in a node with that Elixir."""
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
    """Return what the local node printed: a shell, or what went wrong."""
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


# The shell's node is nobody's to reach but the session's.
_LOOPBACK_ONLY: Final = "-kernel inet_dist_use_interface {127,0,0,1}"


def open_shell(
    target: str,
    flags: CliOptions,
    talk: Verbosity,
    environment: Mapping[str, str],
    *,
    iex: bool | None,
) -> int:
    """Open a shell in a session of its own; return the exit code."""
    with instance_lock(environment) as slot:
        home = temp_home(slot.folder, environment)

        async def prepare(standing: ReadySession) -> ChildCommand:
            shared = standing.ready.aliases[0].cookie_source == PASSTHROUGH
            cookie_file = default_cookie_file() if shared else cookie_file_in(home)
            variables = child_environment(environment, standing.ready, cookie_file)
            variables["ERL_FLAGS"] += f" {_LOOPBACK_ONLY}"
            if not shared:
                variables["HOME"] = str(home)
            reporter = standing.reporter
            words = await choose_shell(
                variables,
                lambda: reporter.refusal,
                lambda message: reporter.report(Warned(message=message)),
                iex=iex,
            )
            return ChildCommand(words=words, environment=variables)

        flags = replace(flags, local_cookie_file=cookie_file_in(home))
        return run_child_session(target, flags, slot, talk, prepare)
