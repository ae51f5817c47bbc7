"""Samples of a node at little cost to it: its memory, its processes, its tables.

Only functions of OTP that every node has are called; no code is loaded and nothing stays there.
Long lists are handled by native functions of the node, a part at a time: of a node with more
than ``CHUNK`` processes, each sample reads the next part. The process that runs
the functions has low priority there and a bounded heap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from erlconnect.client.calls import Raised, call
from erlconnect.client.erlang_syntax import print_erlang
from erlconnect.distribution.etf import Atom, Map, Pid
from erlconnect.errors import RemoteCallError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.client.connection import NodeConnection
    from erlconnect.distribution.etf import Term

CHUNK: Final = 4096
"""The most processes that are read in one sample."""
_HEAP_WORDS: Final = 4 * 1024 * 1024
_SECONDS: Final = 10.0
_MOST_ROWS: Final = 60
_MOST_CHILDREN: Final = 500
# Each text is read by the node itself once, and evaluated with other bindings each time. What
# runs over many processes is one call of a compiled function, not a loop of the evaluator.
_PROCESSES: Final = """
    Began = erlang:monotonic_time(microsecond),
    All = erlang:processes(),
    Count = length(All),
    From = if Offset >= Count -> 0; true -> Offset end,
    Part = lists:sublist(lists:nthtail(From, All), Chunk),
    Items = [memory, reductions, message_queue_len],
    Infos = lists:zipwith(fun erlang:process_info/2, Part, lists:duplicate(length(Part), Items)),
    Rows = ets:match_spec_run(lists:zip(Part, Infos), ets:match_spec_compile(
        [{{'$1', [{memory, '$2'}, {reductions, '$3'}, {message_queue_len, '$4'}]}, [],
          [{{'$1', '$2', '$3', '$4'}}]}])),
    {Began, erlang:monotonic_time(microsecond), From, length(Part), Rows,
     erlang:memory(),
     element(1, statistics(reductions)),
     element(1, statistics(runtime)),
     element(1, statistics(wall_clock)),
     statistics(total_run_queue_lengths_all),
     statistics(io),
     [erlang:system_info(process_count), erlang:system_info(port_count),
      erlang:system_info(atom_count), erlang:system_info(ets_count)]}.
"""
_FACTS: Final = """
    {erlang:system_info(otp_release), erlang:system_info(version),
     erlang:system_info(schedulers_online), erlang:system_info(wordsize), init:script_id(),
     [erlang:system_info(process_limit), erlang:system_info(port_limit),
      erlang:system_info(atom_limit), erlang:system_info(ets_limit)]}.
"""
_NAMES: Final = """
    Items = [registered_name, initial_call, current_function],
    lists:zip(Pids,
        lists:zipwith(fun erlang:process_info/2, Pids, lists:duplicate(length(Pids), Items))).
"""
_TABLES: Final = """
    Tables = lists:sublist(ets:all(), 5000),
    Asked = fun(Item) ->
        lists:zipwith(fun ets:info/2, Tables, lists:duplicate(length(Tables), Item)) end,
    lists:sublist(
        lists:reverse(lists:sort(lists:zip3(Asked(memory), Asked(name), Asked(size)))), Most).
"""
_PORTS: Final = """
    Ports = lists:sublist(erlang:ports(), 1000),
    Asked = fun(Item) ->
        lists:zipwith(fun erlang:port_info/2, Ports, lists:duplicate(length(Ports), Item)) end,
    lists:sublist(lists:zip3(Ports, Asked(name), lists:zip3(
        Asked(connected), Asked(input), Asked(output))), Most).
"""
_TREE: Final = """
    case Root of
        {application, App} ->
            case application_controller:get_master(App) of
                undefined -> [];
                Master -> case application_master:get_child(Master) of
                    {Top, _} when is_pid(Top) -> [{App, Top, supervisor, []}];
                    _ -> []
                end
            end;
        {supervisor, Pid} ->
            case gen_server:call(Pid, count_children, 2000) of
                Counted when is_list(Counted) ->
                    case proplists:get_value(active, Counted, 0) > Most of
                        true -> {many, Counted};
                        false -> gen_server:call(Pid, which_children, 2000)
                    end
            end
    end.
"""
_OPTIONS: Final[tuple[Term, ...]] = (
    (Atom("priority"), Atom("low")),
    (
        Atom("max_heap_size"),
        Map(
            (
                (Atom("size"), _HEAP_WORDS),
                (Atom("kill"), Atom("true")),
                (Atom("error_logger"), Atom("false")),
            )
        ),
    ),
)


@dataclass(slots=True, kw_only=True)
class ProcessRow:
    """A process as it was last seen, at ``seen`` (microseconds of the node's clock)."""

    pid: Pid
    memory: int
    reductions: int
    queue: int
    seen: int
    rate: float = 0.0
    """Reductions in a second, between the last two times."""
    name: str = ""
    current: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """Values that do not change while a node runs."""

    node: str
    otp: str
    erts: str
    release: str
    schedulers: int
    word_size: int
    limits: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample of a node; ``uptime`` is in seconds. Rates are ``None`` in the first sample."""

    memory: dict[str, int]
    uptime: float
    run_queue: int
    counts: dict[str, int]
    reductions_per_second: float | None
    cpu: float | None
    """The share of all schedulers' time that the node used, from 0 to 1."""
    bytes_in_per_second: float | None
    bytes_out_per_second: float | None
    looked_at: int
    """How many of the processes were looked at in this sample."""
    cost_seconds: float
    """How long the node worked for this sample, by its own clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Totals:
    time: int
    reductions: int
    runtime: int
    input: int
    output: int


_COUNTED: Final = ("processes", "ports", "atoms", "ets")


class NodeSampler:
    """Asks one node; ``facts`` once, then ``sample`` as often as is wanted."""

    def __init__(self, connection: NodeConnection, chunk: int = CHUNK) -> None:
        self._connection = connection
        self._chunk = chunk
        # A group leader that answers nothing: the functions called here print nothing.
        self._silent = connection.new_pid(lambda _: None)
        self._forms: dict[str, Term] = {}
        self._offset = 0
        self._turn_began = 0
        self._before: _Totals | None = None
        self._schedulers = 1
        self.processes: dict[Pid, ProcessRow] = {}

    async def facts(self) -> NodeFacts:
        """Ask for what does not change."""
        found = _tuple(await self._evaluate(_FACTS))
        self._schedulers = max(1, found[2])
        script = found[4]
        names = [_text(one) for one in script] if isinstance(script, tuple) else []
        return NodeFacts(
            node=self._connection.node,
            otp=_text(found[0]),
            erts=_text(found[1]),
            release=" ".join(names),
            schedulers=found[2],
            word_size=found[3],
            limits=dict(zip(_COUNTED, found[5], strict=True)),
        )

    async def sample(self) -> Sample:
        """Return a sample of the node, with the next part of its processes."""
        found = _tuple(await self._evaluate(_PROCESSES, Offset=self._offset, Chunk=self._chunk))
        began, ended, start, looked_at, rows, memory, reductions, runtime, wall, queue = found[:10]
        # The node starts again at 0 once the offset is behind its last process: a turn is over.
        if start == 0:
            self._forget_gone()
            self._turn_began = began
        self._offset = start + looked_at
        for pid, *numbers in rows:
            self._see(pid, began, *numbers)
        (_, bytes_in), (_, bytes_out) = found[10]
        now = _Totals(
            time=began, reductions=reductions, runtime=runtime, input=bytes_in, output=bytes_out
        )
        rates = self._rates(now)
        self._before = now
        return Sample(
            memory={str(kind): size for kind, size in memory},
            uptime=wall / 1000,
            run_queue=queue,
            counts=dict(zip(_COUNTED, found[11], strict=True)),
            looked_at=looked_at,
            cost_seconds=(ended - began) / 1e6,
            **rates,
        )

    def _see(self, pid: Pid, time: int, memory: int, reductions: int, queue: int) -> None:
        row = self.processes.get(pid)
        if row is None:
            self.processes[pid] = ProcessRow(
                pid=pid, memory=memory, reductions=reductions, queue=queue, seen=time
            )
            return
        if time > row.seen:
            row.rate = (reductions - row.reductions) * 1e6 / (time - row.seen)
        row.memory, row.reductions, row.queue, row.seen = memory, reductions, queue, time

    def _forget_gone(self) -> None:
        """Drop processes that were in no sample of the last turn: they have ended."""
        self.processes = {
            pid: row for pid, row in self.processes.items() if row.seen >= self._turn_began
        }

    def _rates(self, now: _Totals) -> dict[str, float | None]:
        before = self._before
        # A rate needs two samples; a clock that did not advance would divide by zero.
        if before is None or now.time <= before.time:
            names = ("reductions_per_second", "cpu", "bytes_in_per_second", "bytes_out_per_second")
            return dict.fromkeys(names)
        seconds = (now.time - before.time) / 1e6
        return {
            "reductions_per_second": (now.reductions - before.reductions) / seconds,
            "cpu": (now.runtime - before.runtime) / 1000 / seconds / self._schedulers,
            "bytes_in_per_second": (now.input - before.input) / seconds,
            "bytes_out_per_second": (now.output - before.output) / seconds,
        }

    async def busiest(self, sort: str, count: int = _MOST_ROWS) -> list[ProcessRow]:
        """Return the processes with most ``memory``, ``reductions`` a second or ``queue``, named.

        Those that ended meanwhile are left out.
        """
        keys = {"memory": "memory", "reductions": "rate", "queue": "queue"}
        rows = sorted(self.processes.values(), key=lambda row: -getattr(row, keys[sort]))[:count]
        named = await self._evaluate(_NAMES, Pids=[row.pid for row in rows])
        found = []
        for pid, info in _list(named):
            row = self.processes[pid]
            if isinstance(info, list):
                values = dict(info)
                row.current = _function(values.get("current_function"))
                if (name := _name(values)) != _GENERIC or not row.name:
                    row.name = name
                found.append(row)
        for row in found:
            if row.name == _GENERIC:
                row.name = await self._initial_call(row.pid)
        return found

    async def _initial_call(self, pid: Pid) -> str:
        """Ask ``proc_lib`` once what a process began with; it reads its dictionary for that."""
        called = await self._try("proc_lib", "translate_initial_call", pid)
        return _function(called) or _GENERIC

    async def tables(self, most: int = _MOST_ROWS) -> list[tuple[str, int, int]]:
        """Return name, size and memory in words of the largest ETS tables."""
        rows = _list(await self._evaluate(_TABLES, Most=most))
        return [
            (print_erlang(name), size, memory) for memory, name, size in rows if type(memory) is int
        ]

    async def ports(self, most: int = _MOST_ROWS) -> list[tuple[str, str, str, int, int]]:
        """Return the port, its name, its owner, and the bytes read from and written to it."""
        found = []
        for port, name, numbers in _list(await self._evaluate(_PORTS, Most=most)):
            known: dict[Any, Any] = dict(one for one in (name, *numbers) if isinstance(one, tuple))
            if "name" in known:
                found.append(
                    (
                        self.shown(port),
                        _text(known["name"]),
                        self.shown(known.get("connected", Atom("?"))),
                        known.get("input", 0),
                        known.get("output", 0),
                    )
                )
        return found

    async def applications(self) -> list[tuple[str, str, str]]:
        """Return name, version and description of the applications that run."""
        found = await self._try("application", "which_applications", 2000)
        return [(str(name), _text(version), _text(text)) for name, text, version in _list(found)]

    async def children(self, root: Pid | str) -> list[tuple[str, Pid | None, bool]]:
        """Return the children of an application (by its name) or of a supervisor: name, pid, kind.

        The third says whether one is a supervisor itself. A supervisor with more than 500 children
        is not asked for them: one entry tells how many there are.
        """
        kind = "supervisor" if isinstance(root, Pid) else "application"
        asked = root if isinstance(root, Pid) else Atom(root)
        found = await self._evaluate(_TREE, Root=(Atom(kind), asked), Most=_MOST_CHILDREN)
        match found:
            case tuple(("many", list() as counted)):
                return [(f"{dict(counted).get('active')} processes", None, False)]
        return [
            (self.shown(name), child if isinstance(child, Pid) else None, of == "supervisor")
            for name, child, of, _ in _list(found)
        ]

    async def details(self, pid: Pid) -> list[tuple[str, str]]:
        """Return what the node tells of one process; nothing where it has ended."""
        items: list[Term] = [Atom(name) for name in _DETAILS]
        found = await self._try("erlang", "process_info", pid, items)
        return [
            (str(name), self.shown(_shortened(value)))
            for name, value in _list(found)
            if value not in ([], ())
        ]

    def shown(self, term: Term) -> str:
        """Return a term of the node as it prints it."""
        return print_erlang(term, self._connection.node)

    async def _try(self, module: str, function: str, *args: Term) -> Term:
        outcome = await call(
            self._connection,
            module,
            function,
            args,
            group_leader=self._silent,
            seconds=_SECONDS,
            options=_OPTIONS,
        )
        return [] if isinstance(outcome, Raised) else outcome.value

    async def _evaluate(self, text: str, **bindings: Term) -> Term:
        forms = self._forms.get(text) or await self._read(text)
        # Bindings are an ordered dictionary: by their names.
        ordered: list[Term] = [(Atom(name), bindings[name]) for name in sorted(bindings)]
        outcome = await call(
            self._connection,
            "erl_eval",
            "exprs",
            [forms, ordered],
            group_leader=self._silent,
            seconds=_SECONDS,
            options=_OPTIONS,
        )
        match outcome:
            case Raised():
                reason = self.shown(outcome.reason)
                raise RemoteCallError(
                    f"{self._connection.where} could not be looked at: {outcome.kind} {reason}",
                    remedy="Look into its log; it may be overloaded.",
                )
        return _tuple(outcome.value)[1]  # type: ignore[no-any-return]

    async def _read(self, text: str) -> Term:
        """Have the node read a text of ours, in a fun, so that its variables are not sent back."""
        names = [name for name in ("Chunk", "Most", "Offset", "Pids", "Root") if name in text]
        head = ", ".join(names)
        body = text.strip().removesuffix(".")
        tokens = await self._try(
            "erl_scan", "string", [*f"(fun({head}) -> {body} end)({head}).".encode()]
        )
        parsed = await self._try("erl_parse", "parse_exprs", _tuple(tokens)[1])
        self._forms[text] = forms = _tuple(parsed)[1]
        return forms  # type: ignore[no-any-return]


_GENERIC: Final = "proc_lib:init_p/5"
_DETAILS: Final = (
    "registered_name",
    "initial_call",
    "current_function",
    "status",
    "priority",
    "message_queue_len",
    "memory",
    "total_heap_size",
    "stack_size",
    "reductions",
    "trap_exit",
    "group_leader",
    "links",
    "monitors",
    "monitored_by",
    "suspending",
    "current_stacktrace",
)
_MOST_SHOWN: Final = 20


def _shortened(value: Term) -> Term:
    if isinstance(value, list) and len(value) > _MOST_SHOWN:
        return [*value[:_MOST_SHOWN], Atom(f"... {len(value)} in all")]
    return value


def _name(values: dict[Any, Any]) -> str:
    registered = values.get("registered_name")
    if isinstance(registered, Atom):
        return str(registered)
    return _function(values.get("initial_call"))


def _function(term: Term | None) -> str:
    match term:
        case tuple((Atom() as module, Atom() as function, int() as arity)):
            return f"{module.removeprefix('Elixir.')}:{function}/{arity}"
    return ""


def _text(term: Term) -> str:
    if isinstance(term, bytes):
        return term.decode(errors="replace")
    if isinstance(term, list) and all(type(one) is int for one in term):
        return "".join(map(chr, term))
    return print_erlang(term)


def _tuple(term: Term) -> tuple[Any, ...]:
    if not isinstance(term, tuple):
        raise RemoteCallError("the node answers what no node answers", remedy="Look into its log.")
    return term


def _list(term: Term) -> Sequence[Any]:
    return term if isinstance(term, list) else []
