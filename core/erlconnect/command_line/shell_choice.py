"""Which shell to open: iex or erl, by what is installed here and what runs there.

A short-lived local node asks the remote one through the alias. So a link that is refused is known
before a shell is opened: iex and erl hide the reason, and erl goes on in the local node.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Final

from erlconnect.errors import ConfigurationError, TimedOutError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from erlconnect.errors import ErlconnectError

_SHELL_NAME: Final = "shell@127.0.0.1"
_PROBE_NAME: Final = "shell-probe@127.0.0.1"
_PROBE_SECONDS: Final = 20.0
# Asks for the name of a file and loads nothing into the remote node.
_PROBE: Final = """
Alias = list_to_atom(os:getenv("ERLCONNECT_ALIAS")),
Ask = fun(M, F, A) -> rpc:call(Alias, M, F, A, 5000) end,
io:format("~p", [net_kernel:connect_node(Alias) andalso
    case lists:keymember(iex, 1, Ask(application, which_applications, [])) of
        true -> iex;
        false -> erl
    end]),
halt().
"""


async def choose_shell(
    variables: Mapping[str, str],
    refusal: Callable[[], ErlconnectError | None],
    *,
    iex: bool | None,
) -> list[str]:
    """Give the words of the shell; ``iex`` says whether it has to be that one, or erl.

    ``refusal`` tells why the session let no link come up. Raises that error, or another
    ``ErlconnectError`` where no shell can be opened.
    """
    path = variables.get("PATH")
    for program in ("erl", *(["iex"] if iex else [])):
        if shutil.which(program, path=path) is None:
            raise _not_installed(program)
    found = await _probe(variables)
    if found not in ("iex", "erl"):
        raise refusal() or UnreachableError(
            f"the local Erlang could not reach the remote node: {found or 'it printed nothing'}",
            remedy="Run again with `-v` to see what the session saw.",
        )
    if iex is None:
        iex = found == "iex" and shutil.which("iex", path=path) is not None
    return _words(variables["ERLCONNECT_ALIAS"], iex=iex)


def _words(alias: str, *, iex: bool) -> list[str]:
    if iex:
        return ["iex", "--name", _SHELL_NAME, "--remsh", alias]
    return ["erl", "-name", _SHELL_NAME, "-remsh", alias]


async def _probe(variables: Mapping[str, str]) -> str:
    """Give what the local node printed: a shell, or what went wrong."""
    words = ["erl", "-noinput", "-name", _PROBE_NAME, "-eval", _PROBE]
    process = await asyncio.create_subprocess_exec(
        *words,
        env=dict(variables),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            printed, _ = await process.communicate()
    except TimeoutError as error:
        raise TimedOutError(
            f"the local Erlang was still asking the remote node after {_PROBE_SECONDS:g} s",
            remedy="Try again; if it stays so, the remote node is overloaded.",
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return printed.decode(errors="replace").strip()


def _not_installed(program: str) -> ConfigurationError:
    return ConfigurationError(
        f"{program} is not on the PATH, and a shell needs it",
        remedy=f"Install {'Elixir' if program == 'iex' else 'Erlang'} on this machine.",
    )
