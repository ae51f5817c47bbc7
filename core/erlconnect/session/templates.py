"""Node names by template, e.g. ``app@{dashed_ip}.shop.pod.cluster.local``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from erlconnect.api import NodeName
from erlconnect.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlconnect.api import Query, Target

_FIELD: Final = re.compile(r"\{([^{}]*)\}")


def render_node(template: str, target: Target, query: Query) -> NodeName:
    """Give the name that ``template`` means for ``target``.

    A name part of ``{basename}`` stays empty where only the target's epmd knows it. Raises
    ``UsageError`` for a field that this target does not have and for what is no node name.
    """
    fields = _fields(target, query)
    name, _, host = template.partition("@")
    try:
        if name == "{basename}" and not fields["basename"]:
            parsed = NodeName.parse(f"unknown@{_fill(host, fields)}")
            return NodeName(name="", host=parsed.host)
        return NodeName.parse(_fill(template, fields))
    except ValueError as error:
        raise UsageError(
            f"-o node={template}: {error}",
            remedy=f"Write NAME@HOST; fields here: {_listed(fields)}.",
        ) from None


def _fields(target: Target, query: Query) -> dict[str, str]:
    address = target.address
    return {
        **target.facts,
        "ip": address,
        "dashed_ip": address.replace(".", "-").replace(":", "-"),
        "service": target.facts.get("service", query.service),
        "basename": target.node.name,
    }


def _fill(template: str, fields: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in fields:
            raise ValueError(f"this target has no field {{{match[1]}}}")
        return fields[match[1]]

    return _FIELD.sub(value, template)


def _listed(fields: Mapping[str, str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(fields))
