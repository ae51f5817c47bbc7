"""What may stand in a profile: each key with its type and its meaning, declared once.

The checks of files, the JSON schema and the reference come from here. The settings of backends,
cookie sources and transports are no business of this file; their plugins declare those.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from erlconnect.configuration.session_settings import RANGES
from erlconnect.distribution.names import NodeName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# What stands before the first slash of TARGET may be one of these instead of a profile.
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
PLUGIN_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

PROFILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileKey:
    """One key. ``fault`` says in words what is wrong with a value; nothing where it fits."""

    name: str
    meaning: str
    fault: Callable[[object], str]
    schema: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def name_fault(name: str) -> str:
    """Say why a profile cannot have this name; nothing where it can."""
    if not PROFILE_NAME.fullmatch(name):
        return "cannot name a profile: use letters, digits, '.', '_' and '-'"
    if name.lower() in KUBERNETES_KINDS:
        return f"cannot name a profile: `{name}/shop` means a Kubernetes object"
    return ""


def _text(value: object) -> str:
    return "" if isinstance(value, str) and value else "must be a text"


def _flag(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


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
    """Say what is wrong with the name of an offer in the table of its settings."""
    assert isinstance(value, dict)  # noqa: S101 - both callers have looked
    fault = _plugin(value[key]) if key in value else ""
    return f"needs a {key!r} that {fault}" if fault else ""


def _alias(value: object) -> str:
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


def profile_name(text: str) -> str:
    """Give the nearest name that a profile can have."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-") or "profile"
    return f"{name}-1" if name_fault(name) else name
