"""What a provider stand-in tells the engine when something goes wrong."""

from collections.abc import Generator
from contextlib import contextmanager

from engine.stand_ins.values import Values, hidden, secret_texts


class ProviderError(Exception):
    """What the person who runs `preview` or `up` reads: the problem and what to do about it."""


def unsupported(provider: str) -> str:
    """Why something of a provider is not served, and what to do."""
    return f"the stand-in {provider} provider does not support this; install the official plugin to use it"


@contextmanager
def discreet(values: Values) -> Generator[None]:
    """Keeps what is secret in `values` out of a ProviderError raised inside: servers repeat what they refuse."""
    try:
        yield
    except ProviderError as error:
        error.args = (hidden(str(error), secret_texts(values)),)
        raise
