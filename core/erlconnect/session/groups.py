"""What a group of tasks failed of."""

from __future__ import annotations


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the one error that matters: a group of one is what every failure here makes."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
