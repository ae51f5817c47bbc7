"""Which shell to open: iex or erl, by what is installed here and what runs there.

A short-lived local node asks the remote one through the alias. So a link that is refused is known
before a shell is opened: iex and erl hide the reason, and erl goes on in the local node. iex of
another minor version of Elixir ends at once, or at the first line typed.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Final

from erlconnect.child_starts import started_whole
from erlconnect.errors import ConfigurationError, TimedOutError, UnreachableError
from erlconnect.session.examination.programs import local_elixir
from erlconnect.session.examination.releases import minor_of

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Mapping

    from erlconnect.errors import ErlconnectError

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
    """Give the words of the shell; ``iex`` says whether it has to be that one, or erl.

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
    """Say whether iex of this machine can be a shell in a node with that Elixir."""
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
    """Give what the local node printed: a shell, or what went wrong."""
    words = ["erl", "-noinput", "-name", _PROBE_NAME, "-eval", _PROBE]
    starting = asyncio.create_subprocess_exec(
        *words,
        env=dict(variables),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    process = await started_whole(starting, _killed)
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            printed, _ = await process.communicate()
    except TimeoutError as error:
        raise TimedOutError(
            f"the local Erlang was still asking the remote node after {_PROBE_SECONDS:g} s",
            remedy="Try again; if it stays so, the remote node is overloaded.",
        ) from error
    finally:
        await _killed(process)
    return printed.decode(errors="replace").strip()


async def _killed(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


def _not_installed(program: str) -> ConfigurationError:
    return ConfigurationError(
        f"{program} is not on the PATH, and a shell needs it",
        remedy=f"Install {'Elixir' if program == 'iex' else 'Erlang'} on this machine.",
    )
