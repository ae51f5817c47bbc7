"""The documentation names what the code has, no less and no more."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast, get_args, get_type_hints

import pluggy
import pytest
from pages import (
    PROJECT,
    blocks,
    codes,
    commands,
    front_pages,
    headings,
    own_pages,
    page,
    pages,
    rows,
    section,
    words_for_erlconnect,
)
from typer.main import get_command
from typer.testing import CliRunner

from erlconnect import errors, hookspecs
from erlconnect.api import NodeName, Query, Target
from erlconnect.client.sampling import NodeFacts, ProcessRow, Sample
from erlconnect.command_line.app import app
from erlconnect.command_line.child_session import child_environment, cookie_variables
from erlconnect.command_line.output import ready_text
from erlconnect.command_line.remote_calls import output_payload, result_payload
from erlconnect.command_line.status import Throughput
from erlconnect.command_line.top import sample_payload
from erlconnect.configuration.session_settings import SESSION_KEYS
from erlconnect.configuration.settings import DeclaresSettings, setting_fields, variable_name
from erlconnect.configuration.tls_settings import TLS, TLS_KEYS
from erlconnect.diagnostics.events import (
    phase_payload,
    pong_payload,
    role_payload,
    step_payload,
    target_payload,
)
from erlconnect.diagnostics.ping import PHASES, Pong
from erlconnect.diagnostics.steps import StepName, StepTimer
from erlconnect.diagnostics.targets import TargetProbe
from erlconnect.distribution.etf import Pid
from erlconnect.distribution.flags import DistributionFlag
from erlconnect.errors import ErlconnectError, ExitCode, UnreachableError
from erlconnect.hookspecs import LinkEvent
from erlconnect.plugin_manager import Catalogue, Kind
from erlconnect.proxy.probe import ProbeResult
from erlconnect.proxy.timing import Span
from erlconnect.session.config import SessionConfig
from erlconnect.session.connector import ConnectedTarget
from erlconnect.session.events import (
    AliasEntry,
    AliasStatus,
    Event,
    Failed,
    LinkStatus,
    Ready,
    Refused,
    SessionStatus,
    Stopped,
    TargetLost,
    TargetReplaced,
    Warned,
    payload,
    status_payload,
)
from erlconnect.session.plan import Plan, PlannedTarget, plan_payload
from erlconnect.session.plugin_resolver import PluginSpec
from erlconnect.testing import check_backend, check_offer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from erlconnect.api import Dialer, Offer

_COMMAND: Any = get_command(app)


def with_all_below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for word, inner in getattr(command, "commands", {}).items():
        yield from with_all_below(f"{name} {word}", inner)


_COMMANDS = dict(with_all_below("erlconnect", _COMMAND))
# Options of other programs that a page names by themselves.
_OF_OTHERS = {"--name", "--sname", "--remsh", "--cookie", "--hidden"}


def options_of(command: Any) -> set[str]:
    options = [one for one in command.params if one.param_type_name == "option"]
    return {"--help", "-h"} | {name for one in options for name in [*one.opts, *one.secondary_opts]}


_OPTIONS = {name for command in _COMMANDS.values() for name in options_of(command)}


def built_in_offers() -> Iterator[tuple[Kind, Offer]]:
    for report in Catalogue().inspect_all():
        if report.entry.built_in:
            yield from report.offers.items()


def setting_keys() -> set[str]:
    """Every key that may stand behind ``-o``."""
    keys = {
        f"{kind.option_prefix}{key}"
        for kind, offer in built_in_offers()
        for key in setting_fields(offer.settings)
    }
    return keys | set(SESSION_KEYS) | {f"transport.{key}" for key in TLS_KEYS}


def test_each_command_has_its_options_in_a_table() -> None:
    text = page("reference/command-line.md")
    assert headings(text) == [f"`{name}`" for name in _COMMANDS]
    for name, command in _COMMANDS.items():
        described = {
            code
            for row in rows(section(text, f"`{name}`"))
            for code in codes(row[0])
            if code.startswith("-")
        }
        assert described == options_of(command), name


@pytest.mark.parametrize("path", own_pages(), ids=lambda path: path.name)
def test_a_page_shows_no_option_and_no_setting_that_does_not_exist(path: Path) -> None:
    keys = setting_keys()
    for command in commands(path.read_text()):
        words = words_for_erlconnect(command)
        for word, following in pairwise([*words, ""]):
            option = word.partition("=")[0]
            if word.startswith("--") or len(option) == len("-o"):
                assert not option.startswith("-") or option in _OPTIONS | _OF_OTHERS, command
            if option in {"-o", "--option"} and "=" in following:
                key = following.partition("=")[0]
                assert key in keys or key.rpartition(".")[2] == "KEY", command


def test_every_exit_code_is_described() -> None:
    described = rows(section(page("reference/exit-codes.md"), "Exit codes"))
    assert [(row[0], row[1]) for row in described] == [
        (str(int(code)), f"`{code.name}`") for code in ExitCode
    ]


def causes() -> dict[str, type[ErlconnectError]]:
    classes = [one for one in vars(errors).values() if isinstance(one, type)]
    return {one.cause: one for one in classes if issubclass(one, ErlconnectError)}


def test_every_cause_is_described() -> None:
    described = rows(section(page("reference/exit-codes.md"), "Causes"))
    assert {tuple(row[:3]) for row in described} == {
        (f"`{cause}`", str(int(one.exit_code)), f"`{one.__name__}`")
        for cause, one in causes().items()
    }
    assert all(row[3] for row in described)


def test_every_cause_has_advice() -> None:
    advice = [heading for heading in headings(page("troubleshooting.md")) if "`" in heading]
    assert sorted(advice) == sorted(f"`{cause}`" for cause in causes())


def setting_rows(offer: DeclaresSettings) -> list[list[str]]:
    return [
        [
            f"`{key}`",
            f"`{variable_name(offer.name, key)}`",
            "has to be given" if field.is_required() else shown(field.get_default()),
            field.description or "",
        ]
        for key, field in setting_fields(offer.settings).items()
    ]


def shown(default: object) -> str:
    if default is None or default == "":
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_every_setting_is_described_in_its_own_words() -> None:
    text = page("reference/settings.md")
    expected: dict[str, DeclaresSettings] = {
        f"{kind.capitalize()} `{offer.name}`": offer for kind, offer in built_in_offers()
    }
    expected["The distribution over TLS"] = TLS
    assert sorted(headings(text)) == sorted(["The session's own", *expected])
    for heading, offer in expected.items():
        table = setting_rows(offer)
        wanted = "\n".join(f"| {' | '.join(row)} |" for row in table) or "It has no settings."
        found = rows(section(text, heading))
        assert found == table, f"the rows below '## {heading}' have to be:\n{wanted}"
        assert table or wanted in section(text, heading)


_BACKENDS = [offer for kind, offer in built_in_offers() if kind is Kind.BACKEND]


@pytest.mark.parametrize("offer", _BACKENDS, ids=lambda offer: offer.name)
def test_the_page_of_a_backend_has_all_its_settings_in_a_table(offer: Offer) -> None:
    described = {code for row in rows(page(f"backends/{offer.name}.md")) for code in codes(row[0])}
    assert set(setting_fields(offer.settings)) <= described
    assert f"# Backend `{offer.name}`\n" in page(f"backends/{offer.name}.md")


def test_every_setting_of_the_session_is_described() -> None:
    described = rows(section(page("reference/settings.md"), "The session's own"))
    keys = [tuple(row[:2]) for row in described if len(row) == 4]
    assert keys == [(f"`{key}`", f"`{variable_name('session', key)}`") for key in SESSION_KEYS]


def variables_read(*roots: str) -> set[str]:
    """The names with which the code asks an environment."""
    names = set()
    for source in [file for root in roots for file in (PROJECT / root).rglob("*.py")]:
        for node in ast.walk(ast.parse(source.read_text())):
            match node:
                case (
                    ast.Call(
                        func=ast.Attribute(value=asked, attr="get"),
                        args=[ast.Constant(value=str(name)), *_],
                    )
                    | ast.Subscript(value=asked, slice=ast.Constant(value=str(name)))
                ):
                    if ast.unparse(asked).endswith(("environ", "environment")):
                        names.add(name)
    return names


def test_every_variable_is_described() -> None:
    described = section(page("reference/environment.md"), "Variables")
    named = {code for row in rows(described) for code in codes(row[0])}
    assert "ERL_EPMD_PORT" in variables_read("core") <= named
    anywhere = {code for path in pages() for code in codes(path.read_text())}
    assert variables_read("backends", "plugins") <= anywhere


@pytest.mark.parametrize("path", own_pages(), ids=lambda path: path.name)
def test_a_page_names_no_variable_that_does_not_exist(path: Path) -> None:
    known = {variable_name("session", key) for key in SESSION_KEYS} | variables_read("core")
    known |= set(child_environment({}, _READY, Path("cookie"))) | set(cookie_variables(_READY, ""))
    groups: list[DeclaresSettings] = [TLS, *(offer for _, offer in built_in_offers())]
    for group in groups:
        known |= {variable_name(group.name, key) for key in setting_fields(group.settings)}
    assert set(re.findall(r"\bERLCONNECT_[A-Z_]*[A-Z]\b", path.read_text())) <= known


_ALIAS = AliasEntry(
    alias="shop@127.0.0.1",
    short_alias="shop@localhost",
    ipv6_alias="shop@::1",
    node="shop@shop-0.shop.internal",
    address="10.3.2.1",
    dist_port=33061,
    local_port=49307,
    backend="dns",
    transport="direct",
    cookie_source="file",
    facts={
        "record": "SRV",
        "service": "shop.internal",
        "target": "shop-0.shop.internal",
        "label": "shop-0",
        "ports": "4369",
        "priority": "0",
        "weight": "0",
    },
)
_READY = Ready(
    epmd_port=4369,
    epmd_embedded=True,
    aliases=[_ALIAS],
)
_LINK: dict[str, Any] = {"alias": "a", "node": "b", "local_node": "c", "caller_name": "d"}
_EVENTS: list[Event | LinkEvent] = [
    _READY,
    LinkEvent(kind="link-up", **_LINK),
    LinkEvent(kind="link-down", **_LINK),
    Refused(
        rule="a",
        direction="b",
        what="c",
        alias="d",
        node="e",
        local_node="f",
        caller_name="g",
        message="h",
        remedy="i",
    ),
    TargetLost(alias="a", node="b", message="c"),
    TargetReplaced(alias="a", old_node="b", node="c", address="d", dist_port=1),
    Warned(message="a"),
    Failed(error=ErlconnectError("a", remedy="b"), alias="c", local_node="d"),
    Stopped(reason="a"),
]


def shape(value: Any, name: str = "") -> Any:
    """The keys of an object with the types of their values; of a list, that of its elements."""
    if name == "facts":
        return "texts by name"
    if isinstance(value, dict):
        return {key: shape(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return type(value).__name__


def field_names(fields: dict[str, Any], before: str = "") -> Iterator[str]:
    for key, value in fields.items():
        inner = value[0] if isinstance(value, list) and value else value
        if isinstance(inner, dict) and key != "facts":
            yield from field_names(inner, f"{before}{key}.")
        yield before + key


def test_every_event_is_described() -> None:
    classes = {one.event for one in get_args(Event)}
    kinds = set(get_args(get_type_hints(LinkEvent)["kind"]))
    samples = [payload(event)["event"] for event in _EVENTS]
    assert set(samples) == classes | kinds
    described = headings(page("reference/events.md"))
    looked_at = dict.fromkeys(one["event"] for one in _LOOKED_AT)
    assert described == [
        f"`{name}`" for name in [*samples, "plugin", "session", *looked_at, *_OF_PROFILES]
    ]


@pytest.mark.parametrize("event", [payload(one) for one in _EVENTS], ids=lambda one: one["event"])
def test_every_event_has_an_example_with_its_fields_explained(event: dict[str, Any]) -> None:
    text = section(page("reference/events.md"), f"`{event['event']}`")
    [example] = blocks(text, "json")
    assert json.loads(example)["event"] == event["event"]
    assert shape(json.loads(example)) == shape(event)
    explained = {code for row in rows(text) for code in codes(row[0])}
    if event["event"] == "link-down":
        explained |= set(_LINK)
    objects = {"epmd"}  # explained by their fields
    assert explained == set(field_names(event)) - {"schema", "event"} - objects


_ERROR = UnreachableError("a", remedy="b")
_TARGET = Target(node=NodeName(name="a", host="b"), address="c", facts={"d": "e"})
_CONNECTED = ConnectedTarget(
    discovered=_TARGET,
    target=_TARGET,
    transport="a",
    dialer=cast("Dialer", None),
    port=1,
    length_size=2,
    probe_result=ProbeResult(node=_TARGET.node, creation=1, flags=DistributionFlag.HANDSHAKE_23),
    close=lambda: None,
)
_PHASE = Span(name="challenge", detail="", seconds=0.5, error=None)
_PONG = Pong(
    node="a",
    address="b",
    dist_port=1,
    transport="c",
    cookie_source="d",
    creation=1,
    otp="e",
)
_LIMITS = dict.fromkeys(("processes", "ports", "atoms", "ets"), 1)
_FACTS = NodeFacts(
    node="a", otp="b", erts="c", release="d", schedulers=1, word_size=8, limits=_LIMITS
)
_SAMPLE = Sample(
    memory={"total": 1, "processes": 1},
    uptime=1.0,
    run_queue=1,
    counts=_LIMITS,
    reductions_per_second=1.0,
    cpu=0.5,
    bytes_in_per_second=1.0,
    bytes_out_per_second=1.0,
    looked_at=1,
    cost_seconds=0.5,
)
_ROW = ProcessRow(
    pid=Pid(node="a", id=1, serial=0, creation=1), memory=1, reductions=1, queue=1, seen=1
)
_LOOKED_AT = [
    step_payload(StepTimer(StepName.PORT).failed(_ERROR)),
    phase_payload(_PHASE),
    pong_payload(_PONG, [_PHASE]),
    target_payload(TargetProbe(target=_TARGET, connected=_CONNECTED)),
    target_payload(
        TargetProbe(target=replace(_TARGET, node=NodeName(name="", host="b")), error=_ERROR)
    ),
    role_payload("a", "b"),
    plan_payload(
        Plan(
            config=SessionConfig(service="a", backend=PluginSpec(name="b"), profile="c"),
            targets=[
                PlannedTarget(target=_TARGET, dist_port=1, transports=["a"], cookie_sources=["b"])
            ],
        )
    ),
    output_payload("a", "b"),
    result_payload("a", 1, "1"),
    sample_payload(_FACTS, _SAMPLE, [_ROW], repr),
]
# What is printed of these is compared in test_docs_of_profiles.
_OF_PROFILES = ("profile", "profile-values", "profile-explained", "problem")


@pytest.mark.parametrize("name", sorted({one["event"] for one in _LOOKED_AT}))
def test_every_event_of_a_look_has_an_example_with_its_fields_explained(name: str) -> None:
    text = section(page("reference/events.md"), f"`{name}`")
    examples = [json.loads(block) for block in blocks(text, "json")]
    events = [one for one in _LOOKED_AT if one["event"] == name]
    assert [shape(one) for one in examples] == [shape(one) for one in events]
    explained = {code for row in rows(text) for code in codes(row[0])}
    fields = {field for one in events for field in field_names(one)}
    assert explained == fields - {"schema", "event", "error"}


def test_every_step_and_phase_is_described() -> None:
    described = rows(section(page("guides/doctor.md"), "The steps"))
    assert [row[0] for row in described] == [f"`{name}`" for name in StepName]
    phases = rows(section(page("reference/events.md"), "`phase`"))[0][1]
    assert codes(phases) == list(PHASES.values())


_COUNTED = LinkEvent(kind="link-up", **_LINK)
_STATUS = SessionStatus(
    pid=1,
    since=0.0,
    targets=["a"],
    epmd_port=1,
    epmd_embedded=True,
    aliases=[AliasStatus(entry=_ALIAS, links=[LinkStatus(since=0.0, counted=_COUNTED)])],
)


def test_the_status_of_a_session_has_an_example_with_its_fields_explained() -> None:
    text = section(page("reference/events.md"), "`session`")
    event = Throughput().add(status_payload(_STATUS))
    [example] = blocks(text, "json")
    assert shape(json.loads(example)) == shape(event)
    explained = {code for row in rows(text) for code in codes(row[0])}
    assert explained == set(field_names(event)) - {"schema", "event", "epmd"}


def test_every_variable_of_a_child_is_described() -> None:
    described = rows(section(page("guides/shell-and-run.md"), "The variables"))
    named = {code for row in described for code in codes(row[0])}
    set_by_us = child_environment({}, _READY, Path("cookie"))
    assert named == set(set_by_us) | set(cookie_variables(_READY, "secret"))


def test_the_example_of_a_plugin_is_what_is_printed(home: Path) -> None:
    text = section(page("reference/events.md"), "`plugin`")
    printed = json.loads(CliRunner().invoke(app, ["plugins", "env", "--json"]).stdout)
    [example] = blocks(text, "json")
    assert json.loads(example) == printed
    explained = {code for row in rows(text) for code in codes(row[0])}
    objects = {"offers", "offers.settings"}
    assert explained == set(field_names(printed)) - {"schema", "event"} - objects


def test_the_readme_shows_what_is_printed() -> None:
    assert ready_text(_READY, "") in (PROJECT / "README.md").read_text()


async def test_the_backend_of_the_readme_keeps_the_contract() -> None:
    text = section((PROJECT / "README.md").read_text(), "Write a backend")
    [code], [entry_point] = blocks(text, "python"), blocks(text, "toml")
    module = ModuleType("erlconnect_rack")
    exec(compile(code, "README.md", "exec", dont_inherit=True), vars(module))
    manager = pluggy.PluginManager("erlconnect")
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    [[offer]] = manager.hook.erlconnect_backends()
    check_offer(offer)
    backend = offer.create(offer.settings())
    await check_backend(backend, Query(service="shop"), missing=Query(service="attic"))
    points = tomllib.loads(entry_point)["project"]["entry-points"]["erlconnect"]
    assert points == {offer.name: module.__name__}
    assert code.startswith(f"# {module.__name__}.py\n")


@pytest.mark.parametrize("path", front_pages(), ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text())
    for link in links:
        assert link.startswith("https://") or (path.parent / link).is_file(), link


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_a_page_names_files_of_the_project_and_of_no_machine(path: Path) -> None:
    text = path.read_text()
    for folder in (PROJECT, Path.home()):
        assert not re.search(rf"(?<![\w.]){re.escape(str(folder))}\b", text)
    for code in codes(text):
        if re.fullmatch(r"[\w/]+/\w+\.(py|md)", code):
            assert list(PROJECT.glob(code)) or list((PROJECT / "core").glob(f"**/{code}")), code
