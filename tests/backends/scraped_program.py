"""A program that Prometheus scrapes, and that remembers what it was asked for."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tools.http_server import Handler, serving

TEXT = "text/plain; version=0.0.4"
Page = tuple[bytes, Mapping[str, str]]
"""Metrics, and further headers of the answer."""


class ScrapedProgram:
    """Serves metrics, and remembers the paths that it was asked for."""

    url = ""

    def __init__(self) -> None:
        self.paths: set[str] = set()


@contextmanager
def scraped_program(page: Callable[[str], Page], moved_to: str) -> Iterator[ScrapedProgram]:
    """Serves `page(path)` at each path but /elsewhere, which redirects to `moved_to`."""
    found = ScrapedProgram()

    class Metrics(Handler):
        def respond(self) -> None:
            found.paths.add(self.path)
            if self.path == "/elsewhere":
                self.answer(302, b"", "text/plain", {"Location": moved_to})
                return
            body, headers = page(self.path)
            self.answer(200, body, TEXT, dict(headers))

    with serving(Metrics) as found.url:
        yield found
