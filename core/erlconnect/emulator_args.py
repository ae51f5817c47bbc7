"""Read a node's name, ports and cookie from the emulator's arguments and variables.

``read_variables`` returns the node's name and ports, ``cookie_in_flags`` its cookie; both look at
the flags that ``emulator_args`` collects. Arguments and variables are read as ``erl`` (erlexec) and
Erlang's ``init`` read them: a flag has all words up to the next one that begins with a dash, ``--``
ends the words of a flag, ``-extra`` ends the flags, and each of ``ERL_AFLAGS``, the command line,
``ERL_FLAGS`` and ``ERL_ZFLAGS`` stands for itself. Where several flags of one name are given, each
reader in OTP has a rule of its own: see the properties of ``EmulatorArgs``.
https://www.erlang.org/doc/apps/erts/erl_cmd.html, https://hexdocs.pm/mix/Mix.Tasks.Release.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.names import NodeName

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_END: Final = "--"
_EXTRA: Final = "-extra"
_ARGS_FILE: Final = "-args_file"
_BLANK: Final = " \n\f\r\t\v"
_BEAM: Final = re.compile(r"beam(\.\w+)*")
_ERTS: Final = re.compile(r"/erts-(\d+)\.")
_ERTS_OF_OTP_23: Final = 11
_ERL: Final = ("erl", "werl", "cerl", "erlexec")
_ELIXIR: Final = ("elixir", "iex")
# Emulator flags that take the next word; all others are whole in themselves. Neither reaches init.
_ALLOCATORS: Final = "[uBIDEFHLRSTXZ]"
_PLUS_WITH_VALUE: Final = re.compile(
    r"\+(?:[aACeinPQtTRWKS]|SP|SD(?:cpu|Pcpu|io)|IOP?[tp]|pc|rg|dcg|J(?:Pperf|Msingle|Ddump)"
    r"|s(?:bt|bwt|bwtdcpu|bwtdio|cl|ct|ecio|fwi|tbt|wct|wt|wtdcpu|wtdio|ws|ss|ssdcpu|ssdio|pp|ub)"
    r"|h(?:ms|mbs|pds|max|maxk|maxel|maxib|mqd)?|z(?:dbbl|dntgc|ebwt|osrl)"
    rf"|M{_ALLOCATORS}(?:as|asbcst|atags|acul|acnl|acfml|cp|e|t|lmbcs|mbcgs|mbsd|mmbcs|mmmbc|mmsbc"
    r"|msbclt|ramv|rmbcmt|rsbcmt|rsbcst|sbct|smbcs)"
    r"|M(?:ea|ummc|uycs|usac|im|is|it|lpm|M\w+|Y\w+|Iscs|Xscs))"
)
_PLUS_WITH_CHOICE: Final = {"+c": ("true", "false"), "+B": ("i",)}
# erlexec takes these out; the number is that of the words that follow.
_OF_ERLEXEC: Final = {
    "-env": 2,
    "-epmd": 1,
    "-emu_type": 1,
    "-emu_flavor": 1,
    "-emu_args": 0,
    "-detached": 0,
    "-keep_window": 0,
    "-version": 0,
}
# Parameters that kernel.app has defaults for, in its order.
_KERNEL_DEFAULTS: Final = (
    "net_tickintensity",
    "net_ticktime",
    "prevent_overlapping_partitions",
    "shell_docs_ansi",
    "shell_history_drop",
)
_START_FLAGS: Final = ("-s", "-run", "-eval")
# Options of the script `elixir` and the number of words that they take.
_ELIXIR_OPTIONS: Final = {
    "--hidden": 0,
    "-v": 0,
    "--no-halt": 0,
    "+iex": 0,
    "+elixirc": 0,
    "--werl": 0,
    **dict.fromkeys(("-e", "-r", "-pr", "-pa", "-pz", "--app", "--eval", "--remsh"), 1),
    **dict.fromkeys(("--dot-iex", "--dbg", "--logger-otp-reports", "--logger-sasl-reports"), 1),
    **dict.fromkeys(("--erl", "--cookie", "--name", "--sname", "--erl-config"), 1),
    **dict.fromkeys(("--vm-args", "--boot"), 1),
    **dict.fromkeys(("--boot-var", "--pipe-to", "--rpc-eval"), 2),
}
_AS_FLAGS: Final = {
    "--cookie": "-setcookie",
    "--name": "-name",
    "--sname": "-sname",
    "--vm-args": _ARGS_FILE,
    "--proto_dist": "-proto_dist",
}
_SERVER_VARIABLES: Final = (
    "RABBITMQ_NODENAME",
    "RABBITMQ_NODE_NAME",
    "RABBITMQ_USE_LONGNAME",
    "EMQX_NODE__NAME",
    "EMQX_NODE_NAME",
    "EMQX_NAME",
    "EMQX_HOST",
    "DOCKER_VERNEMQ_NODENAME",
    "ERLANG_NODE_ARG",
    "ERLANG_NODE",
    "NODE_TYPE",
    "NODE_NAME",
    "NODENAME",
    "COUCHDB_USER",
    "COUCHDB_PASSWORD",
    "COUCHDB_SECRET",
    "COUCHDB_ERLANG_COOKIE",
)
ERLANG_VARIABLES: Final = (
    "RELEASE_NODE",
    "RELEASE_NAME",
    "RELEASE_DISTRIBUTION",
    "ERL_DIST_PORT",
    "ERL_EPMD_PORT",
    "ERL_AFLAGS",
    "ERL_FLAGS",
    "ERL_ZFLAGS",
    "ELIXIR_ERL_OPTIONS",
    *_SERVER_VARIABLES,
)
"""All variables that are read here, apart from those that hold a cookie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErlangVariables:
    """What is known of a node; ``None`` or empty where nothing is.

    ``name`` is the part of the node's name before the ``@`` where only that is known.
    ``dist_ports`` is a range that leaves the choice to the node, ``protocol`` the value of
    ``-proto_dist``.
    ``distribution`` is ``name``, ``sname`` or ``none``.
    """

    node: NodeName | None = None
    name: str = ""
    dist_port: int | None = None
    dist_ports: str = ""
    epmd_port: int | None = None
    protocol: str = ""
    distribution: str = ""


def read_variables(
    variables: Mapping[str, str], command_line: Sequence[str] = ()
) -> ErlangVariables:
    """Read the variables of ``ERLANG_VARIABLES``, and the flags in them and in ``command_line``.

    What cannot be understood counts as absent.
    """
    args = emulator_args(variables, command_line)
    kind, named = _named(variables, args)
    node = _node(named)
    lowest, highest = args.listen_range
    dist_port = _port(variables.get("ERL_DIST_PORT", "")) or args.dist_port
    return ErlangVariables(
        node=node,
        name="" if node else _name_part(named),
        dist_port=dist_port or (lowest if lowest == highest else None),
        dist_ports=f"{lowest}-{highest}" if lowest and highest and lowest < highest else "",
        epmd_port=_port(variables.get("ERL_EPMD_PORT", "")) or args.epmd_port,
        protocol=args.protocol,
        distribution=variables.get("RELEASE_DISTRIBUTION", "") or kind,
    )


def cookie_in_flags(variables: Mapping[str, str], command_line: Sequence[str] = ()) -> str | None:
    """Return the cookie that flags in the variables and in ``command_line`` give a node.

    A mix release hands ``RELEASE_COOKIE`` on as such a flag, so that it counts as one. Empty where
    there are flags for a cookie and the node takes none of them but reads its cookie file: OTP's
    ``auth`` wants exactly one ``-setcookie``, with one word. ``None`` where there is no such flag.
    """
    return emulator_args(variables, command_line).cookie


@dataclass(frozen=True, slots=True)
class EmulatorArgs:
    """The flags of one emulator in their order, without dash, as ``init:get_arguments/0`` does."""

    flags: tuple[tuple[str, tuple[str, ...]], ...]
    erts: int | None = None
    """The first number of the emulator's version, if its path contains it; OTP 23 has erts 11."""

    def words(self, flag: str) -> list[tuple[str, ...]]:
        """Return the words of each occurrence of ``flag``, as ``init:get_argument/1`` does."""
        return [words for name, words in self.flags if name == flag]

    @property
    def cookie(self) -> str | None:
        """The cookie, see ``cookie_in_flags``; since OTP 24 two words are another node's."""
        if self.words("nocookie"):
            return "nocookie"
        given = self.words("setcookie")
        # Since OTP 24, ``-setcookie Node Cookie`` is the cookie for one other node.
        own = [words for words in given if len(words) < 2]  # noqa: PLR2004
        own = given if self._before_otp_24 else own
        if len(own) == 1 and len(own[0]) == 1:
            return own[0][0]
        return "" if given else None

    @property
    def name(self) -> tuple[str, str]:
        """``sname`` or ``name``, and the node's name: the first ``-sname``, else ``-name``.

        Both empty where the node has none; a flag with more or fewer words than one is passed over
        together with all of its kind, as in ``erl_distribution``.
        """
        for kind in ("sname", "name"):
            given = self.words(kind)
            if given and len(given[0]) == 1:
                return kind, given[0][0]
        return "", ""

    @property
    def dist_port(self) -> int | None:
        """The port that the distribution listens on, where ``erl_epmd`` is given one."""
        given = self.words("erl_epmd_port")
        # ``erl_epmd`` takes the flag before the parameter, and only where it is given once.
        by_flag = given[0][0] if len(given) == 1 and len(given[0]) == 1 else ""
        return _port(by_flag) or _port(self._kernel("erl_epmd_node_listen_port"))

    @property
    def listen_range(self) -> tuple[int | None, int | None]:
        """The lowest and the highest port that the distribution may choose."""
        lowest = self._kernel("inet_dist_listen_min")
        return _port(lowest), _port(self._kernel("inet_dist_listen_max") or lowest)

    @property
    def epmd_port(self) -> int | None:
        """The port of epmd: the first one counts."""
        given = self.words("epmd_port")
        return _port(given[0][0]) if given and given[0] else None

    @property
    def protocol(self) -> str:
        """The first word of the first ``-proto_dist``; before OTP 27, several count as none."""
        given = self.words("proto_dist")
        return given[0][0] if given and given[0] else ""

    @property
    def _before_otp_24(self) -> bool:
        return self.erts is not None and self.erts <= _ERTS_OF_OTP_23

    def _kernel(self, parameter: str) -> str:
        """Return a parameter of the application kernel, empty where no flag has it.

        ``application_controller`` puts the pairs of later flags before those of earlier ones, and
        the last pair counts. Whenever it takes out one with a default, those before it turn around.
        """
        pairs: list[tuple[str, str]] = []
        for words in self.words("kernel"):
            pairs[:0] = zip(words[::2], words[1::2], strict=False)
        for known in () if self._before_otp_24 else _KERNEL_DEFAULTS:
            at = next((number for number, (key, _) in enumerate(pairs) if key == known), None)
            if at is not None:
                pairs = [*pairs[at + 1 :], *reversed(pairs[:at])]
        return dict(pairs).get(parameter, "")


def emulator_args(
    variables: Mapping[str, str],
    command_line: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
) -> EmulatorArgs:
    """Return the flags that a command gives its emulator, with those of the variables.

    ``command_line`` is what a container runs: ``erl``, ``elixir``, ``iex``, a script that is not
    known and hands its words on, or the emulator itself (``beam.smp``), whose arguments are
    complete and which reads no variables any more. ``files`` are the contents of files that
    ``-args_file`` may name; what is in any other is not known.
    """
    if command_line and _BEAM.fullmatch(PurePosixPath(command_line[0]).name):
        # erlexec puts the emulator's own flags first; ``init`` reads what is behind the first
        # ``--``.
        _, _, behind = _cut(command_line, _END)
        erts = _ERTS.search(command_line[0])
        return EmulatorArgs(tuple(_init_flags(behind)), int(erts[1]) if erts else None)
    words: list[str] = []
    # The order in which erlexec joins them.
    sources = (
        split_flags(variables.get("ERL_AFLAGS", "")),
        _erl_words(variables, command_line),
        split_flags(variables.get("ERL_FLAGS", "")),
        split_flags(variables.get("ERL_ZFLAGS", "")),
    )
    for source in sources:
        before, _, _ = _cut(_expanded(source, files or {}), _EXTRA)
        # Without an end, words at the head of a source would belong to the flag before them.
        words += [*_for_init(before), _END]
    return EmulatorArgs(tuple(_init_flags(words)))


def split_flags(text: str, *, comments: bool = False) -> list[str]:
    """Return the words of a variable as erlexec cuts them; with ``comments``, those of a file.

    Quotes of both kinds hold words together and end with the text where nothing closes them. A
    backslash takes the next character as it is, but for one inside quotes.
    """
    words: list[str] = []
    rest = text.lstrip(_BLANK)
    while rest:
        if comments and rest[0] == "#":
            rest = rest.partition("\n")[2]
        else:
            word, rest = _first_word(rest, comments=comments)
            words.append(word)
        rest = rest.lstrip(_BLANK)
    return words


def _first_word(text: str, *, comments: bool) -> tuple[str, str]:
    word, index = "", 0
    while index < len(text):
        letter = text[index]
        if letter in _BLANK or (comments and letter == "#"):
            break
        index += 1
        if letter in "'\"":
            quoted, _, _ = text[index:].partition(letter)
            word += quoted
            index += len(quoted) + 1
        elif letter == "\\":
            word += text[index : index + 1]
            index += 1
        else:
            word += letter
    return word, text[index:]


def _cut(words: Sequence[str], at: str) -> tuple[list[str], bool, list[str]]:
    """Return the words before the first ``at``, whether there is one, and the words behind it."""
    found = at in words
    index = words.index(at) if found else len(words)
    return list(words[:index]), found, list(words[index + 1 :])


def _expanded(words: Sequence[str], files: Mapping[str, str]) -> list[str]:
    """Return the words with those of ``-args_file`` in its place; ``-extra`` ends a file, too."""
    expanded: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == _EXTRA:
            return [*expanded, word]
        if word != _ARGS_FILE:
            expanded.append(word)
            continue
        name = next(rest, "")
        # A file that names itself would be read without end.
        others = {each: text for each, text in files.items() if each != name}
        content = _expanded(split_flags(files.get(name, ""), comments=True), others)
        before, _, _ = _cut(content, _EXTRA)
        # What is in a file ends with it, as what is in a variable does.
        expanded += [*before, _END] if content else []
    return expanded


def _for_init(words: Sequence[str]) -> Iterator[str]:
    """Yield the words that reach ``init``: none of those for erlexec and the emulator itself."""
    index = 0
    while index < len(words):
        word = words[index]
        following = words[index + 1] if index + 1 < len(words) else ""
        index += 1
        if word == "-S" and following:
            return  # since OTP 26 all that follows belongs to the function that it starts
        if word in _OF_ERLEXEC:
            index += _OF_ERLEXEC[word]
        elif word in ("-name", "-sname"):
            # The next word is never a flag for erlexec, but it may be one for init.
            yield from words[index - 1 : index + 1]
            index += 1
        elif not word.startswith("+"):
            yield word
        elif _PLUS_WITH_VALUE.fullmatch(word) or following in _PLUS_WITH_CHOICE.get(word, ()):
            index += 1


def _init_flags(words: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the flags with their words, as ``init`` reads them."""
    flag, values = "", list[str]()
    for word in words:
        if not word.startswith("-"):
            values.append(word)
            continue
        if flag:
            yield flag, tuple(values)
        if word == _EXTRA:
            return
        ends = word == _END or word in _START_FLAGS
        flag, values = "" if ends else word[1:], []
    if flag:
        yield flag, tuple(values)


def _erl_words(variables: Mapping[str, str], command_line: Sequence[str]) -> list[str]:
    """Return the words behind ``erl`` that the command makes."""
    names = [PurePosixPath(word).name for word in command_line]
    programs = (number for number, name in enumerate(names) if name in (*_ERL, *_ELIXIR))
    at = next(programs, None)
    if at is not None and names[at] in _ERL:
        return list(command_line[at + 1 :])
    options = variables.get("ELIXIR_ERL_OPTIONS", "").split()
    if at is not None:
        return [*options, *_from_elixir(command_line[at + 1 :])]
    # A script that is not known: its own name and subcommand are no flags.
    first = next((n for n, word in enumerate(command_line) if word[:1] in ("-", "+")), None)
    handed = [] if first is None else _from_script(command_line[first:])
    cookie = variables.get("RELEASE_COOKIE", "")
    released = ["-setcookie", cookie] if cookie.strip() else []
    return [*options, *released, *handed]


def _from_elixir(words: Sequence[str]) -> list[str]:
    """Return the flags for erl that the script ``elixir`` makes of its options.

    The first word that is no option ends them.
    """
    switches: list[str] = []
    flags: list[str] = []
    index = 0
    while index < len(words) and words[index] in _ELIXIR_OPTIONS:
        option = words[index]
        values = words[index + 1 : index + 1 + _ELIXIR_OPTIONS[option]]
        index += 1 + _ELIXIR_OPTIONS[option]
        if option == "--erl":
            switches += " ".join(values).split()
        elif option in _AS_FLAGS:
            flags += [_AS_FLAGS[option], *values]
    return [*switches, *flags]


def _from_script(words: Sequence[str]) -> list[str]:
    """Return the words as they are, with Elixir's options as the flags that they become."""
    return [_AS_FLAGS.get(word, word) for word in words]


def _named(variables: Mapping[str, str], args: EmulatorArgs) -> tuple[str, str]:
    """Return ``name``, ``sname`` or nothing, and the node's name or nothing."""
    released = variables.get("RELEASE_NODE", "") or variables.get("RELEASE_NAME", "")
    if released:
        return "" if "@" in released else "sname", released
    kind, named = args.name
    if "@" in named:
        return kind, named
    return next(_names_of_servers(variables), (kind, named))


def _names_of_servers(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the kind and the name of the node that images of common servers take from variables."""

    def first(*names: str) -> str:
        return next((variables[name] for name in names if variables.get(name)), "")

    if rabbit := first("RABBITMQ_NODENAME", "RABBITMQ_NODE_NAME"):
        yield "name" if first("RABBITMQ_USE_LONGNAME") == "true" else "sname", rabbit
    if emqx := first("EMQX_NODE__NAME", "EMQX_NODE_NAME"):
        yield "name", emqx
    if host := first("EMQX_HOST"):
        yield "name", f"{first('EMQX_NAME') or 'emqx'}@{host}"
    if host := first("DOCKER_VERNEMQ_NODENAME"):
        yield "name", host if "@" in host else f"VerneMQ@{host}"
    if ejabberd := first("ERLANG_NODE_ARG", "ERLANG_NODE"):
        yield "name" if "." in ejabberd.partition("@")[2] else "sname", ejabberd
    # These two names mean other things elsewhere, so that a second sign of the server is wanted.
    if first("NODE_NAME") and first("NODE_TYPE") in ("name", "sname"):
        yield first("NODE_TYPE"), first("NODE_NAME")
    couch = ("COUCHDB_USER", "COUCHDB_PASSWORD", "COUCHDB_SECRET", "COUCHDB_ERLANG_COOKIE")
    if first("NODENAME") and first(*couch):
        yield "name", f"couchdb@{first('NODENAME')}"


def _node(text: str) -> NodeName | None:
    # A shell or the kubelet would have to fill in what stands behind a "$".
    try:
        return None if "$" in text else NodeName.parse(text)
    except ValueError:
        return None


def _name_part(text: str) -> str:
    name = text.partition("@")[0]
    return name if _node(f"{name}@host") else ""


def _port(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdigit() else 0
    return number if 0 < number < 65536 else None  # noqa: PLR2004 - ports have 16 bits
