"""The keys of a profile, declared once, and the check of a file's shape.

The check, the JSON schema and the reference in the documentation come from these declarations. The
tables of plugins are checked for plain values only; their plugins validate the rest.

This is no pydantic model: a message is ours and names the key of the file, problems come in the
order of the file, unknown tables may belong to a backend, and a refused cookie must not be quoted.
Each of these would be a validator that replaces pydantic's own, and the import alone takes longer
than reading all files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from erlconnect.configuration.problems import did_you_mean
from erlconnect.configuration.session_settings import RANGES
from erlconnect.distribution.names import NodeName
from erlconnect.redaction import remember

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from erlconnect.configuration.files import Document
    from erlconnect.configuration.problems import Problem
    from erlconnect.configuration.toml import KeyPath

# ``deploy/shop`` as TARGET names a Kubernetes object, so no profile can have one of these names.
KUBERNETES_KINDS: Final = frozenset(
    word
    for words in (
        "cronjob cronjobs cj",
        "daemonset daemonsets ds",
        "deploy deployment deployments",
        "ep endpoints endpointslice endpointslices",
        "job jobs",
        "no node nodes",
        "po pod pods",
        "rc replicationcontroller replicationcontrollers",
        "replicaset replicasets rs",
        "ro rollout rollouts",
        "service services svc",
        "statefulset statefulsets sts",
    )
    for word in words.split()
)
INBOUND: Final = ("guarded", "full")
PLUGIN_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
PROFILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TOP_LEVEL: Final = ("default-profile", "profiles", "plugins")
_PLUGINS: Final = ("prefer",)
_PLAIN: Final = (str, int, float, bool)
_CORRECT: Final = "Correct that line."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileKey:
    """One key. ``fault`` returns what is wrong with a value, and an empty text if it fits."""

    name: str
    meaning: str
    fault: Callable[[object], str]
    schema: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def _text(value: object) -> str:
    return "" if isinstance(value, str) and value else "must be a text"


def _flag(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _inbound(value: object) -> str:
    return "" if value in INBOUND else f"must be {' or '.join(INBOUND)}"


def _table(value: object) -> str:
    return "" if isinstance(value, dict) else "must be a table"


def _plugin(value: object) -> str:
    named = isinstance(value, str) and PLUGIN_NAME.fullmatch(value)
    return "" if named else "must be a name that `erlconnect plugins` lists"


def _cookie(value: object) -> str:
    return _table(value) or _part(value, "from")


def _transport(value: object) -> str:
    if isinstance(value, dict):
        return _part(value, "name")
    return (
        "" if not _plugin(value) else "must be a name that `erlconnect plugins` lists, or a table"
    )


def _part(value: object, key: str) -> str:
    """Return what is wrong with the name of an offer in the table of its settings."""
    assert isinstance(value, dict)  # noqa: S101 - both callers have checked it
    fault = _plugin(value[key]) if key in value else ""
    return f"needs a {key!r} that {fault}" if fault else ""


def _alias(value: object) -> str:
    # Only the name part stands in the file; any valid host does for the check.
    return _text(value) or _node_fault(f"{value}@localhost")


def _caller(value: object) -> str:
    return _text(value) or _node_fault(str(value) if "@" in str(value) else f"{value}@invalid")


def _node_fault(name: str) -> str:
    try:
        NodeName.parse(name)
    except ValueError as error:
        return f"cannot be used: {error}"
    return ""


def _number(key: str) -> Callable[[object], str]:
    lowest, highest = RANGES[key]

    def fault(value: object) -> str:
        # Not isinstance: a bool is an int for Python.
        fits = type(value) is int and lowest <= value <= highest
        return "" if fits else f"must be a number from {lowest} to {highest}"

    return fault


def _session_number(name: str, meaning: str) -> ProfileKey:
    lowest, highest = RANGES[name]
    schema = {"type": "integer", "minimum": lowest, "maximum": highest}
    return ProfileKey(name=name, meaning=meaning, fault=_number(name), schema=schema)


_TEXT: Final = {"type": "string", "minLength": 1}
_OFFER: Final = {"type": "string", "pattern": f"^{PLUGIN_NAME.pattern}$"}


def _text_key(name: str, meaning: str) -> ProfileKey:
    return ProfileKey(name=name, meaning=meaning, fault=_text, schema=_TEXT)


SERVICE_ONLY: Final = _text_key(
    "target", "What the backend is to look for, where that is not the service's name here."
)
PROFILE_ONLY: Final = (
    _text_key("inherits", "The profile whose values hold where this one has none."),
    ProfileKey(
        name="services",
        meaning="A table for each service that differs; its values win over the profile's.",
        fault=_table,
    ),
)
SHARED: Final = (
    ProfileKey(name="backend", meaning="What finds the node.", fault=_plugin, schema=_OFFER),
    ProfileKey(
        name="cookie",
        meaning="Where the remote cookie is: `from` names the cookie source, further keys are "
        "its settings.",
        fault=_cookie,
    ),
    ProfileKey(
        name="transport",
        meaning="How to get there: a name, or a table with `name` and the transport's settings.",
        fault=_transport,
    ),
    _session_number("epmd-port", "The port of the target's epmd."),
    _session_number("dist-port", "The target's distribution port; its epmd is not asked."),
    _text_key("node", "The target's name, as a literal or a template."),
    _session_number("max-frame", "The longest frame in bytes that is held whole."),
    _session_number("look-again", "With `--all`: seconds until a backend is asked again."),
    _text_key(
        "local-tls-cert",
        "A certificate for local nodes that speak TLS, relative to the configuration file.",
    ),
    _text_key("local-tls-key", "The private key of local-tls-cert, where that does not hold it."),
    ProfileKey(
        name="allow-stop",
        meaning="Let through what ends or restarts the remote node.",
        fault=_flag,
        schema={"type": "boolean"},
    ),
    ProfileKey(
        name="inbound",
        meaning="What the remote node may do here: `guarded` refuses whatever runs code.",
        fault=_inbound,
        schema={"enum": list(INBOUND)},
    ),
    ProfileKey(name="as", meaning="The name part of the alias.", fault=_alias, schema=_TEXT),
    ProfileKey(
        name="caller-name",
        meaning="The local node's name on the remote side.",
        fault=_caller,
        schema=_TEXT,
    ),
    _text_key(
        "local-cookie-file",
        "The cookie file of the local nodes, relative to the configuration file.",
    ),
    ProfileKey(
        name="confirm",
        meaning="Ask before connecting; refused where nobody can be asked.",
        fault=_flag,
        schema={"type": "boolean"},
    ),
)
PROFILE_KEYS: Final = {key.name: key for key in (*PROFILE_ONLY, *SHARED)}
SERVICE_KEYS: Final = {key.name: key for key in (SERVICE_ONLY, *SHARED)}


def shape_problems(document: Document) -> Iterator[Problem]:
    """Return all mistakes in the keys and types of a file, in the order of its tables."""
    yield from _unknown(document, (), document.content, _TOP_LEVEL)
    # Any valid text does for a file without the key.
    default = document.content.get("default-profile", "any")
    if not isinstance(default, str) or not default:
        yield document.problem(
            ("default-profile",), "'default-profile' must be the name of a profile", _CORRECT
        )
    plugins, problems = _read_table(document, (), document.content, "plugins")
    yield from problems
    yield from _plugins_problems(document, plugins)
    profiles, problems = _read_table(document, (), document.content, "profiles")
    yield from problems
    for name, table in profiles.items():
        yield from _profile_problems(document, name, table)


def name_fault(name: str) -> str:
    """Return why a profile cannot have this name; an empty text where it can."""
    if not PROFILE_NAME.fullmatch(name):
        return "cannot name a profile: use letters, digits, '.', '_' and '-'"
    if name.lower() in KUBERNETES_KINDS:
        return f"cannot name a profile: `{name}/shop` means a Kubernetes object"
    return ""


def profile_name(text: str) -> str:
    """Return a name like ``text`` that a profile can have."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-") or "profile"
    # A kind of Kubernetes object, such as ``po``, is no name of a profile; ``po-1`` is one.
    return f"{name}-1" if name_fault(name) else name


def _plugins_problems(document: Document, plugins: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _unknown(document, ("plugins",), plugins, _PLUGINS)
    prefer, problems = _read_table(document, ("plugins",), plugins, "prefer")
    yield from problems
    for name, distribution in prefer.items():
        if not isinstance(distribution, str):
            keys = ("plugins", "prefer", name)
            what = 'must be the name of a distribution, e.g. "erlconnect-nomad"'
            yield document.problem(keys, f"{name!r} {what}", _CORRECT)


def _profile_problems(document: Document, name: str, table: object) -> Iterator[Problem]:
    path: KeyPath = ("profiles", name)
    if fault := name_fault(name):
        yield document.problem(path, f"{name!r} {fault}", "Give it another name.")
    if not isinstance(table, dict):
        yield document.problem(path, f"{name!r} must be a table", _CORRECT)
        return
    yield from _values_problems(document, path, table, PROFILE_KEYS)
    services = table.get("services", {})
    # If it is no table, that was reported with the other values.
    for service, inner in services.items() if isinstance(services, dict) else ():
        place = (*path, "services", service)
        if isinstance(inner, dict):
            yield from _values_problems(document, place, inner, SERVICE_KEYS)
        else:
            yield document.problem(place, f"{service!r} must be a table", _CORRECT)


def _values_problems(
    document: Document, path: KeyPath, table: Mapping[str, Any], known: Mapping[str, ProfileKey]
) -> Iterator[Problem]:
    # An unknown table may be that of a backend. Which backends are installed is checked later, by
    # ``plugin_manager.profiles``.
    own_keys = [key for key, value in table.items() if not _may_be_a_backend(key, value)]
    yield from _unknown(document, path, own_keys, known)
    for key, value in table.items():
        if key == "cookie" and (refused := _literal_cookie(document, path, value)):
            yield refused
        elif key in known and (fault := known[key].fault(value)):
            yield document.problem((*path, key), f"{key!r} {fault}", _CORRECT)
        # The tables of services have keys of their own, so ``_profile_problems`` checks them.
        elif isinstance(value, dict) and key != "services":
            yield from _nested(document, (*path, key), value)


def _may_be_a_backend(key: str, value: object) -> bool:
    return isinstance(value, dict) and key not in {*PROFILE_KEYS, *SERVICE_KEYS}


def _literal_cookie(document: Document, path: KeyPath, value: object) -> Problem | None:
    if not isinstance(value, str):
        return None
    # What has no form of a name may be the secret itself, and must appear nowhere from now on.
    if not PLUGIN_NAME.fullmatch(value):
        remember(value)
    return document.problem(
        (*path, "cookie"),
        "a cookie itself does not belong into a file",
        'Say where it is: cookie = { from = "env", name = "SHOP_COOKIE" } or '
        'cookie = { from = "file", path = "shop.cookie" }. Change the cookie if it was in there.',
    )


def _nested(document: Document, path: KeyPath, table: Mapping[str, Any]) -> Iterator[Problem]:
    for key, value in table.items():
        # Variables and -o can set scalars and lists only, so settings are nothing else.
        if not all(type(one) in _PLAIN for one in (value if isinstance(value, list) else [value])):
            what = f"{key!r} must be a text, a number, true, false or a list of those"
            yield document.problem((*path, key), what, _CORRECT)


def _unknown(
    document: Document, path: KeyPath, table: Iterable[str], known: Iterable[str]
) -> Iterator[Problem]:
    for key in table:
        if key not in known:
            yield document.problem(
                (*path, key),
                f"{key!r} is not a known key",
                f"{did_you_mean(key, known)}Known here: {', '.join(known)}.",
            )


def _read_table(
    document: Document, path: KeyPath, table: Mapping[str, Any], key: str
) -> tuple[Mapping[str, Any], list[Problem]]:
    value = table.get(key, {})
    if isinstance(value, dict):
        return value, []
    return {}, [document.problem((*path, key), f"{key!r} must be a table", _CORRECT)]
