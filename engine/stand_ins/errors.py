"""Errors that a provider stand-in reports to the engine."""

from collections.abc import Generator
from contextlib import contextmanager

from engine.stand_ins.values import Values, hidden, secret_texts


class ProviderError(Exception):
    """An error with a message for the user of `preview` or `up`: the problem and what to do about it."""


def unsupported(provider: str) -> str:
    """Message for a feature of the provider that the stand-in lacks."""
    return f"the stand-in {provider} provider does not support this; install the official plugin to use it"


@contextmanager
def discreet(values: Values) -> Generator[None]:
    """Masks the secrets of `values` in a ProviderError raised inside, because servers may repeat rejected values."""
    try:
        yield
    except ProviderError as error:
        error.args = (hidden(str(error), secret_texts(values)),)
        raise
