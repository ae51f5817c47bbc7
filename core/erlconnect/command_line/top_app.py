"""The screen of ``top``: numbers of the node, and a table of its processes, ETS tables or ports.

It fits 80 columns and 24 lines. Texts of the node are shown as they are and never as markup.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Sparkline, Static, TabbedContent, TabPane, Tree

from erlconnect.command_line.output import plain_text
from erlconnect.distribution.etf import Pid
from erlconnect.errors import ErlconnectError

if TYPE_CHECKING:
    from textual.widgets.tree import TreeNode

    from erlconnect.client.sampling import NodeFacts, NodeSampler, Sample

_HISTORY: Final = 120
_SLOW_EVERY: Final = 5
"""Tables and ports are read in every fifth sample, and only while their tab is shown."""
_NUMBER_COLUMNS: Final = 44
"""The width of the process columns before the last two, in characters."""
_KINDS: Final = ("total", "processes", "binary", "ets", "code")
_SORTED: Final = {"memory": "memory", "reductions": "reductions/s", "queue": "queue"}


class TopApp(App[None]):
    """Samples the node until the user quits, or until an error, which is then in ``error``."""

    TITLE = "erlconnect top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head { height: 1; background: $primary-background; padding: 0 1; }
    #node { height: 5; padding: 0 1; }
    #numbers { width: 45; }
    #plots { width: 1fr; padding-left: 1; }
    .plot { height: 1; }
    .label { height: 1; color: $text-muted; }
    TabbedContent { height: 1fr; }
    TabPane { padding: 0; }
    DataTable { height: 1fr; }
    Tree { height: 1fr; }
    DetailScreen { align: center middle; }
    DetailScreen > VerticalScroll {
        width: 90%; height: 90%; border: round $primary; padding: 0 1; background: $surface;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "sort('memory')", "Memory"),
        Binding("r", "sort('reductions')", "Reductions"),
        Binding("l", "sort('queue')", "Queue"),
        Binding("1", "show('processes')", "Processes", show=False),
        Binding("2", "show('tables')", "ETS", show=False),
        Binding("3", "show('tree')", "Applications", show=False),
        Binding("4", "show('ports')", "Ports", show=False),
        Binding("p", "pause", "Pause"),
        # For the footer only: the table handles Enter itself and sends RowSelected.
        Binding("enter", "none", "Details"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, sampler: NodeSampler, *, sort: str, seconds: float) -> None:
        super().__init__()
        self._sampler = sampler
        self._sort = sort
        self._seconds = seconds
        self._paused = False
        self.error: ErlconnectError | None = None
        """The error that ended the screen; ``None`` if the user quit."""
        self._facts: NodeFacts | None = None
        self._sample: Sample | None = None
        self._plots = {name: deque([0.0], maxlen=_HISTORY) for name in ("memory", "reds", "queue")}
        self._pids: dict[str, Pid] = {}

    def compose(self) -> ComposeResult:
        """Lay out the node above and the tabs below."""
        yield Static("connecting", id="head", markup=False)
        with Horizontal(id="node"):
            yield Static("", id="numbers", markup=False)
            with VerticalScroll(id="plots", can_focus=False):
                yield Static("memory", id="label-memory", classes="label", markup=False)
                yield Sparkline(id="plot-memory", classes="plot")
                yield Static("reductions/s", id="label-reds", classes="label", markup=False)
                yield Sparkline(id="plot-reds", classes="plot")
                yield Sparkline(id="plot-queue", classes="plot")
        with TabbedContent(initial="processes"):
            with TabPane("1 Processes", id="processes"):
                yield DataTable[Text](id="process-table", cursor_type="row", zebra_stripes=True)
            with TabPane("2 ETS", id="tables"):
                yield DataTable[Text](id="table-table", cursor_type="row", zebra_stripes=True)
            with TabPane("3 Applications", id="tree"):
                yield Tree[tuple[str, Pid | None]]("applications", id="app-tree")
            with TabPane("4 Ports", id="ports"):
                yield DataTable[Text](id="port-table", cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        """Add the columns and start to sample."""
        self.query_one("#table-table", DataTable).add_columns("NAME", "OBJECTS", "MEMORY")
        self.query_one("#port-table", DataTable).add_columns("PORT", "OWNER", "IN", "OUT", "NAME")
        self.query_one("#process-table", DataTable).focus()
        self._keep_sampling()

    @work(exclusive=True)
    async def _keep_sampling(self) -> None:
        try:
            self._facts = await self._sampler.facts()
            await self._fill_tree(self.query_one(Tree).root, None)
            number = 0
            while True:
                if not self._paused:
                    await self._look(number)
                    number += 1
                await asyncio.sleep(self._seconds)
        except ErlconnectError as error:
            self.error = error
            self.exit()

    async def _look(self, number: int) -> None:
        sample = await self._sampler.sample()
        self._show_node(sample)
        shown = self.query_one(TabbedContent).active
        if shown == "processes":
            await self._show_processes()
        elif number % _SLOW_EVERY == 0 or not self._has_rows(shown):
            await self._show_slow(shown)

    def _has_rows(self, shown: str) -> bool:
        tables = {"tables": "#table-table", "ports": "#port-table"}
        return shown not in tables or bool(self.query_one(tables[shown], DataTable).row_count)

    def _show_head(self) -> None:
        facts, sample = self._facts, self._sample
        if not facts or not sample:
            return
        days, seconds = divmod(int(sample.uptime), 86400)
        hours = f"{seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
        state = "PAUSED" if self._paused else f"by {_SORTED[self._sort]}"
        self._say("#head", f"{facts.node}  OTP {facts.otp}  up {days}d {hours}  {state}")

    def _show_node(self, sample: Sample) -> None:
        assert self._facts  # noqa: S101 - asked first
        self._sample = sample
        self._show_head()
        self._say("#numbers", _numbers(sample, self._facts))
        self._plots["memory"].append(sample.memory["total"])
        self._plots["reds"].append(sample.reductions_per_second or 0.0)
        self._plots["queue"].append(sample.run_queue)
        self._say("#label-memory", f"memory {size_text(sample.memory['total'])}")
        rate = count_text(sample.reductions_per_second or 0)
        self._say("#label-reds", f"reductions/s {rate}, queue {sample.run_queue}")
        for name, values in self._plots.items():
            self.query_one(f"#plot-{name}", Sparkline).data = list(values)

    def _say(self, where: str, text: str) -> None:
        self.query_one(where, Static).update(Text(plain_text(text)))

    async def _show_processes(self) -> None:
        rows = await self._sampler.busiest(self._sort)
        table = self.query_one("#process-table", DataTable)
        if not table.columns:
            table.add_columns("PID", "MEMORY", "RED/S", "QUEUE", "NAME", "CURRENT FUNCTION")
        cursor = table.cursor_row
        # clear() moves the cursor to the top, so its row is kept and set again below.
        table.clear()
        self._pids = {}
        room = max(16, (self.size.width - _NUMBER_COLUMNS) // 2)
        for row in rows:
            pid = self._sampler.shown(row.pid)
            # The key of a row is text; the details need the pid itself.
            self._pids[pid] = row.pid
            cells = [pid, size_text(row.memory), count_text(row.rate), count_text(row.queue)]
            cells += [row.name[:room], row.current[:room]]
            table.add_row(*map(_cell, cells), key=pid)
        table.move_cursor(row=min(cursor, len(rows) - 1))

    async def _show_slow(self, shown: str) -> None:
        if shown == "tables":
            assert self._facts  # noqa: S101 - asked first
            # ets:info/1 counts memory in words of the emulator.
            word = self._facts.word_size
            cells = [
                [name, count_text(size), size_text(memory * word)]
                for name, size, memory in await self._sampler.tables()
            ]
            self._fill("#table-table", cells)
        elif shown == "ports":
            cells = [
                [port, owner, size_text(read), size_text(written), name]
                for port, name, owner, read, written in await self._sampler.ports()
            ]
            self._fill("#port-table", cells)

    def _fill(self, where: str, rows: list[list[str]]) -> None:
        table = self.query_one(where, DataTable)
        cursor = table.cursor_row
        table.clear()
        for row in rows:
            table.add_row(*map(_cell, row))
        table.move_cursor(row=min(cursor, len(rows) - 1))

    async def _fill_tree(
        self, node: TreeNode[tuple[str, Pid | None]], root: Pid | str | None
    ) -> None:
        """Add the applications, or the children of one of them or of a supervisor."""
        if root is None:
            for name, version, _ in await self._sampler.applications():
                node.add(Text(plain_text(f"{name} {version}")), data=(name, None))
            node.expand()
            return
        for name, pid, supervisor in await self._sampler.children(root):
            label = Text(plain_text(f"{name} {self._sampler.shown(pid) if pid else ''}"))
            if supervisor and pid:
                node.add(label, data=("", pid))
            else:
                node.add_leaf(label, data=("", pid))

    async def on_tree_node_expanded(self, event: Tree.NodeExpanded[tuple[str, Pid | None]]) -> None:
        """Read the children of the node of the tree that was opened, the first time."""
        # The node is asked only for what the user opens: a whole tree may have many supervisors.
        if event.node.data and not event.node.children:
            name, pid = event.node.data
            try:
                await self._fill_tree(event.node, pid or name)
            except ErlconnectError as error:
                event.node.add_leaf(Text(plain_text(error.message)))

    async def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Show the details of the process of this row."""
        pid = self._pids.get(str(event.row_key.value))
        if event.data_table.id == "process-table" and pid:
            self.push_screen(DetailScreen(self._sampler, pid))

    def action_sort(self, by: str) -> None:
        """Sort the processes by ``by``, and show them at once."""
        self._sort = by
        self._show_head()
        self.query_one(TabbedContent).active = "processes"
        # An exclusive worker would cancel the sampling, which is a worker of the same group.
        self.run_worker(self._show_processes(), exclusive=False)

    def action_show(self, tab: str) -> None:
        """Go to a tab, and fill it."""
        self.query_one(TabbedContent).active = tab
        focus = {"processes": "#process-table", "tables": "#table-table", "ports": "#port-table"}
        self.query_one(focus.get(tab, "#app-tree")).focus()
        # Not exclusive, for the same reason as in ``action_sort``.
        self.run_worker(self._show_slow(tab), exclusive=False)

    def action_pause(self) -> None:
        """Stop sampling until the key is pressed again."""
        self._paused = not self._paused
        self._show_head()


class DetailScreen(ModalScreen[None]):
    """The details of one process, read once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Back"),
    ]

    def __init__(self, sampler: NodeSampler, pid: Pid) -> None:
        super().__init__()
        self._sampler = sampler
        self._pid = pid

    def compose(self) -> ComposeResult:
        """Lay out the text and the keys."""
        with VerticalScroll():
            yield Static("", id="details", markup=False)
        yield Footer()

    async def on_mount(self) -> None:
        """Read the details and show them."""
        details = await self._sampler.details(self._pid)
        lines = [f"{name:18} {value}" for name, value in details]
        head = f"process {self._sampler.shown(self._pid)}"
        text = "\n".join([head, "", *(lines or ["it has ended"])])
        self.query_one("#details", Static).update(Text(plain_text(text)))


def _numbers(sample: Sample, facts: NodeFacts) -> str:
    """Return five lines: memory by kind on the left, counts on the right."""
    cpu = "-" if sample.cpu is None else f"{sample.cpu * 100:.1f} %"
    right = [
        f"cpu {cpu} of {facts.schedulers}",
        *(
            f"{name} {count_text(sample.counts[name])}/{count_text(facts.limits[name])}"
            for name in ("processes", "ports", "atoms", "ets")
        ),
    ]
    left = [f"{kind:10}{size_text(sample.memory[kind]):>9}" for kind in _KINDS]
    return "\n".join(f"{one:21} {other}" for one, other in zip(left, right, strict=True))


def _cell(text: str) -> Text:
    # DataTable reads markup in a cell that is a str, and names may have square brackets.
    return Text(plain_text(text))


def size_text(number: float) -> str:
    """Return bytes in the largest unit that leaves a number of at least one."""
    for unit in ("B", "kB", "MB"):
        if number < 1024:  # noqa: PLR2004 - the next unit
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.2f} GB"


def count_text(number: float) -> str:
    """Return a count in at most six characters or so."""
    for unit in ("", "k", "M"):
        if number < 1000:  # noqa: PLR2004 - the next unit
            return f"{number:.0f}" if not unit else f"{number:.1f}{unit}"
        number /= 1000
    return f"{number:.1f}G"
