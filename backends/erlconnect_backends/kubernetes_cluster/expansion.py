"""``$(VAR)`` in the values of a container's variables, read as the kubelet reads it.

https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def parts(text: str) -> Iterator[tuple[bool, str]]:
    """Cut ``text`` into plain pieces (``False``) and names of variables (``True``).

    ``$$`` is a dollar. What only begins like a reference, and a ``$`` before anything else, stay.
    """
    while text:
        plain, dollar, rest = text.partition("$")
        if plain:
            yield False, plain
        name, closed, behind = rest[1:].partition(")")
        if rest.startswith("(") and closed:
            yield True, name
            text = behind
        elif rest.startswith("$"):
            yield False, "$"
            text = rest[1:]
        else:
            yield False, dollar + rest[:1]
            text = rest[1:]
