"""The catalogue next to plugins that pip really installed, good ones and bad ones.

The plugins live in a subprocess: whatever they do to it, the tests go on.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from erlconnect.api import Offer, Settings
from erlconnect.errors import PluginError
from erlconnect.plugin_manager.catalogue import find, foreign_variables, offered
from erlconnect.plugin_manager.loading import CatalogueEntry, PluginReport
from erlconnect.plugin_manager.validation import Kind

if TYPE_CHECKING:
    from world.installed_plugins import InstalledPlugins

_DRIVER = """
import json, sys
from erlconnect.errors import ErlconnectError
from erlconnect.plugin_manager import Catalogue, Kind

def outcome(catalogue, kind, name):
    try:
        offer = catalogue.offer(Kind(kind), name)
        created = catalogue.create(Kind(kind), name, offer.settings())
        return {"offer": offer.name, "summary": offer.summary, "class": type(created).__name__}
    except ErlconnectError as error:
        return {"error": type(error).__name__, "message": error.message, "remedy": error.remedy,
                "exit_code": int(error.exit_code), "cause": error.cause}

warnings = []
catalogue = Catalogue(prefer=json.loads(sys.argv[1]), warn=warnings.append)
outcomes = [outcome(catalogue, *asked) for asked in json.loads(sys.argv[2])]
print(json.dumps({"outcomes": outcomes, "warnings": warnings}))
"""


class Asker:
    """Asks a catalogue in a subprocess for one offer after the other."""

    def __init__(self, plugins: InstalledPlugins) -> None:
        self._plugins = plugins

    def ask(self, *asked: tuple[str, str], prefer: dict[str, str] | None = None) -> Any:
        script = f"import sys; sys.argv[1:] = [{json.dumps(prefer or {})!r}, {json.dumps(asked)!r}]"
        return json.loads(self._plugins.python(f"{script}\n{_DRIVER}").splitlines()[-1])

    def one(self, kind: str, name: str, **prefer: str) -> Any:
        return self.ask((kind, name), prefer=prefer)["outcomes"][0]


@pytest.fixture(scope="module")
def asker(plugins: InstalledPlugins) -> Asker:
    return Asker(plugins)


BROKEN = {
    "broken": (
        "erlconnect-broken 1.0",
        "raised ModuleNotFoundError in its import: No module named 'no_such_library_at_all'",
    ),
    "raising": (
        "erlconnect-raising 1.0",
        "raised RuntimeError in erlconnect_backends: the hook fell over",
    ),
    "quitting": ("erlconnect-oddities 1.0", "raised SystemExit in its import: 3"),
    "rubbish": (
        "erlconnect-oddities 1.0",
        "returned str from erlconnect_backends, not an Offer",
    ),
    "generator": (
        "erlconnect-oddities 1.0",
        "has made erlconnect_backends asynchronous or a generator; it must return",
    ),
    "asynchronous": (
        "erlconnect-oddities 1.0",
        "has an asynchronous erlconnect_backends; hooks are synchronous",
    ),
    "wrapping": (
        "erlconnect-oddities 1.0",
        "wraps erlconnect_cookie_sources, and so the hooks of other plugins",
    ),
    "misnamed": (
        "erlconnect-oddities 1.0",
        "offers a backend called 'dns'; only 'misnamed' is its name",
    ),
    "untyped": (
        "erlconnect-oddities 1.0",
        (
            "returned an unusable offer from erlconnect_backends: "
            "its settings are no subclass of erlconnect.api.Settings"
        ),
    ),
    "greedy": (
        "erlconnect-oddities 1.0",
        (
            "returned an unusable offer from erlconnect_backends: "
            "its setting 'dist-port' is one of the session's own"
        ),
    ),
    "nameless": (
        "erlconnect-oddities 1.0",
        (
            "returned an unusable offer from erlconnect_transports: "
            "its setting 'name' would be taken for the name of a transport in a profile"
        ),
    ),
    "creating": (
        "erlconnect-oddities 1.0",
        "raised LookupError in create(): no creation today",
    ),
    "newer": (
        "erlconnect-oddities 1.0",
        "is made for version 99 of the hooks; this erlconnect has 1",
    ),
    "strange": (
        "erlconnect-oddities 1.0",
        "has a hook 'erlconnect_spells' that this erlconnect does not know",
    ),
    "empty": (
        "erlconnect-oddities 1.0",
        "registers nothing: no function in it carries erlconnect.api.hookimpl",
    ),
}


@pytest.fixture(scope="module")
def after_all_broken_ones(asker: Asker) -> Any:
    """Every broken plugin is asked for first, and a good one last, in one catalogue."""
    return asker.ask(*(("backend", name) for name in BROKEN), ("backend", "lantern"))["outcomes"]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_names_itself_and_its_distribution(
    after_all_broken_ones: Any, name: str
) -> None:
    distribution, what = BROKEN[name]
    outcome = after_all_broken_ones[list(BROKEN).index(name)]
    assert outcome["error"] == "PluginError"
    assert outcome["message"] == f"The plugin {name!r} of {distribution} {what}"
    assert distribution.split()[0] in outcome["remedy"]
    assert (outcome["exit_code"], outcome["cause"]) == (78, "plugin")


def test_broken_plugins_never_harm_another_name(after_all_broken_ones: Any) -> None:
    assert after_all_broken_ones[-1]["class"] == "Found"


def test_a_hook_with_an_argument_that_does_not_exist_is_a_plugin_error(asker: Asker) -> None:
    outcome = asker.one("backend", "misspelled")
    assert outcome["error"] == "PluginError"
    assert "'misspelled' of erlconnect-oddities 1.0 raised PluginValidation" in outcome["message"]
    assert "evnet" in outcome["message"]


def test_the_example_distribution_is_found_by_its_name(asker: Asker) -> None:
    outcome = asker.one("backend", "nomad")
    assert (outcome["offer"], outcome["class"]) == ("nomad", "NomadBackend")


def test_one_entry_point_may_offer_several_kinds(asker: Asker) -> None:
    answer = asker.ask(("backend", "lantern"), ("cookie source", "lantern"))
    assert [outcome["class"] for outcome in answer["outcomes"]] == ["Found", "Found"]


def test_asking_for_the_wrong_kind_says_what_the_name_is(asker: Asker) -> None:
    outcome = asker.one("transport", "lantern")
    assert outcome["error"] == "UnknownPluginError"
    assert outcome["message"] == (
        "'lantern' of erlconnect-lantern 1.0 is a backend and a cookie source, not a transport"
    )


def test_asking_a_plugin_that_only_observes_for_an_offer(asker: Asker) -> None:
    outcome = asker.one("backend", "observing")
    assert "is a plugin that only observes, not a backend" in outcome["message"]


def test_an_unknown_name_gets_a_suggestion(asker: Asker) -> None:
    outcome = asker.one("backend", "nomda")
    assert outcome["error"] == "UnknownPluginError"
    assert outcome["message"] == "Nothing that is installed is called 'nomda'"
    assert outcome["remedy"].startswith("Did you mean 'nomad'? ")


def test_a_missing_library_is_found_before_anything_is_created(asker: Asker) -> None:
    outcome = asker.one("backend", "needy")
    assert (outcome["error"], outcome["exit_code"]) == ("MissingExtraError", 78)
    assert outcome["message"] == (
        "The backend 'needy' of erlconnect-oddities 1.0 needs no_such_library, "
        "which is not installed"
    )
    assert outcome["remedy"] == "pip install needy"


def test_what_create_gives_has_to_be_of_its_kind(asker: Asker) -> None:
    outcome = asker.one("transport", "creating")
    assert outcome["message"] == (
        "The plugin 'creating' of erlconnect-oddities 1.0 "
        "created object, which is no transport: it has no open()"
    )


def test_what_a_cookie_source_raises_is_not_quoted(asker: Asker) -> None:
    outcome = asker.one("cookie source", "creating")
    assert outcome["message"] == (
        "The plugin 'creating' of erlconnect-oddities 1.0 raised LookupError in create()"
    )


def test_two_outsiders_with_one_name_are_refused_and_both_are_named(asker: Asker) -> None:
    outcome = asker.one("backend", "twin")
    assert outcome["error"] == "PluginError"
    assert "twin-blue 1.0 and twin-red 1.0" in outcome["message"]
    assert '[plugins] prefer = { twin = "..." }' in outcome["remedy"]


@pytest.mark.parametrize("colour", ["red", "blue"])
def test_a_preference_chooses_between_them(asker: Asker, colour: str) -> None:
    assert asker.one("backend", "twin", twin=f"twin-{colour}")["summary"] == colour


def test_an_impostor_of_our_name_is_never_imported(plugins: InstalledPlugins) -> None:
    printed = plugins.python("""
        import sys
        from erlconnect.plugin_manager import Catalogue
        catalogue = Catalogue()
        reports = [report for report in catalogue.inspect_all() if report.entry.name == "dns"]
        print([(report.entry.distribution, report.entry.problem) for report in reports])
        print(catalogue.inspect("dns").entry.distribution)
        print("erlconnect_impostor_dns" in sys.modules)
    """)
    assert printed.splitlines() == [
        "[('erlconnect', ''), ('erlconnect-impostor', \"'dns' is a name of erlconnect itself\")]",
        "erlconnect",
        "False",
    ]


def test_a_slow_plugin_is_named_while_it_is_slow_and_listed_afterwards(
    plugins: InstalledPlugins,
) -> None:
    printed = plugins.python("""
        from erlconnect.plugin_manager import Catalogue
        report = Catalogue(warn=print).inspect("slow")
        print(report.problems)
        print(sorted(report.seconds))
    """)
    warning, problems, steps = printed.splitlines()
    assert warning == (
        "The plugin 'slow' of erlconnect-oddities 1.0 takes more than 2 s for its import"
    )
    assert re.match(r"\('took [2-9]\.\d s for its import'", problems)
    assert steps == "['erlconnect_backends', 'its import']"


_LISTEN = """
from erlconnect.hookspecs import LinkEvent
from erlconnect.plugin_manager import Catalogue
import os
catalogue = Catalogue(warn=lambda message: print("warning:", message))
catalogue.load_observers(os.environ)
for alias in ("one@127.0.0.1", "two@127.0.0.1"):
    catalogue.link_event(LinkEvent(kind="link-up", alias=alias, node="app@10.0.0.1",
                                   local_node="dev@127.0.0.1", caller_name="dev@invalid"))
"""


def test_an_observer_that_fails_is_named_once_and_the_others_still_run(
    plugins: InstalledPlugins,
) -> None:
    printed = plugins.python(_LISTEN, ERLCONNECT_PLUGINS="stumbling, observing")
    assert printed.splitlines() == [
        (
            "warning: The plugin 'stumbling' of erlconnect-oddities 1.0 raised ValueError in "
            "erlconnect_link_event: stumbled over one@127.0.0.1. "
            "Upgrade or uninstall erlconnect-oddities, or report it to its authors."
        ),
        "observed link-up one@127.0.0.1",
        "observed link-up two@127.0.0.1",
    ]


def test_observers_that_cannot_be_loaded_stop_nothing(plugins: InstalledPlugins) -> None:
    printed = plugins.python(_LISTEN, ERLCONNECT_PLUGINS="raising,observin,observing")
    first, second, *rest = printed.splitlines()
    assert first.startswith("warning: ERLCONNECT_PLUGINS: The plugin 'raising' of")
    assert "Did you mean 'observing'?" in second
    assert rest == ["observed link-up one@127.0.0.1", "observed link-up two@127.0.0.1"]


def test_settings_of_an_offer_are_told_from_those_of_another(plugins: InstalledPlugins) -> None:
    printed = plugins.python(
        """
        import os
        from erlconnect.errors import ErlconnectError
        from erlconnect.plugin_manager import Catalogue, Kind
        catalogue = Catalogue()
        for kind in (Kind.BACKEND, Kind.COOKIE_SOURCE):
            print(catalogue.settings(
                kind, "lantern", options={}, inherited={}, environment=os.environ))
        try:
            catalogue.settings(Kind.COOKIE_SOURCE, "lantern", options={"wcik": "x"}, inherited={},
                               environment={})
        except ErlconnectError as error:
            print(error.message)
        """,
        ERLCONNECT_LANTERN_WICK="silk",
    )
    assert printed.splitlines() == [
        "wick='silk'",
        "",
        "-o cookie.wcik: 'lantern' has no such setting",
    ]


def test_a_missing_library_is_listed(plugins: InstalledPlugins) -> None:
    printed = plugins.python("""
        from erlconnect.plugin_manager import Catalogue
        print(*Catalogue().inspect("needy").problems)
    """)
    assert printed.strip() == (
        "its backend needs no_such_library, not installed: pip install needy"
    )


def test_listing_imports_no_plugin_and_nothing_heavy(plugins: InstalledPlugins) -> None:
    printed = plugins.python("""
        import sys
        from erlconnect.plugin_manager import Catalogue
        print({"dns", "nomad", "twin"} <= {entry.name for entry in Catalogue().entries()})
        heavy = {"pydantic", "asyncio", "kubernetes", "consul", "dns", "rich", "typer"}
        print(sorted(heavy & set(sys.modules)))
        ours = ("erlconnect_backends", "erlconnect_plugins", "erlconnect_", "twin_")
        print(sorted(name for name in sys.modules if name.startswith(ours)))
    """)
    assert printed.splitlines() == ["True", "[]", "[]"]


def test_a_session_and_its_blame_name_the_plugin_that_raised(plugins: InstalledPlugins) -> None:
    printed = plugins.python("""
        from erlconnect.errors import LookupFailedError, PluginError
        from erlconnect.plugin_manager import Catalogue, Kind
        catalogue = Catalogue()
        try:
            with catalogue.attribute_errors(Kind.BACKEND, "lantern", "discover()"):
                raise KeyError("wick")
        except PluginError as error:
            print(error.message)
        try:
            with catalogue.attribute_errors(Kind.BACKEND, "lantern", "discover()"):
                raise LookupFailedError("as it is", remedy="")
        except LookupFailedError as error:
            print(error.message)
    """)
    assert printed.splitlines() == [
        "The plugin 'lantern' of erlconnect-lantern 1.0 raised KeyError in discover(): 'wick'",
        "as it is",
    ]


def entry(name: str, problem: str = "") -> CatalogueEntry:
    return CatalogueEntry(
        name=name, module=name, distribution=f"erlconnect-{name}", version="1", problem=problem
    )


class Relay(Settings):
    command: str
    no_shell: bool = False


def report(name: str, **kinds: type[Settings]) -> PluginReport:
    offers = {
        Kind[kind]: Offer(name=name, summary="", settings=settings, create=repr)
        for kind, settings in kinds.items()
    }
    return PluginReport(entry=entry(name), offers=offers, seconds={}, problems=())


def test_variables_of_a_plugin_with_a_longer_name_are_not_of_the_shorter_one() -> None:
    entries = [entry("consul"), entry("consul-kv"), entry("consulate"), entry("dns")]
    consul = report("consul", BACKEND=Relay)
    assert foreign_variables(entries, consul, Kind.BACKEND) == ("ERLCONNECT_CONSUL_KV_",)


def test_variables_of_the_other_kinds_of_the_same_plugin_are_theirs() -> None:
    command = report("command", COOKIE_SOURCE=Settings, TRANSPORT=Relay)
    expected = ("ERLCONNECT_COMMAND_COMMAND", "ERLCONNECT_COMMAND_NO_SHELL")
    assert foreign_variables([command.entry], command, Kind.COOKIE_SOURCE) == expected
    assert foreign_variables([command.entry], command, Kind.TRANSPORT) == ()


def test_a_refused_name_is_found_only_where_it_may_be() -> None:
    refused = entry("twin", problem="two want it")
    assert find([refused], "twin", even_refused=True) is refused
    with pytest.raises(PluginError, match="two want it"):
        find([refused], "twin")


def test_problems_beside_a_good_offer_do_not_spoil_it() -> None:
    good = report("relay", TRANSPORT=Relay)
    assert offered(good, Kind.TRANSPORT).settings is Relay
