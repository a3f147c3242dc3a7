"""Where commands print. Text of a program, such as a label, moves no cursor, changes no colour and reverses no line."""

import re
from collections.abc import Iterable

import rich.console
from rich.segment import Segment

# Control characters, but for the tab and the end of a line, and those that are not seen or change the direction.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """The text without characters that a terminal obeys or does not show."""
    return _UNSEEN.sub("", text)


class Console(rich.console.Console):
    """Rich's console, whose styles are those of this program only."""

    def render(
        self, renderable: rich.console.RenderableType, options: rich.console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of something to print."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=plain(segment.text))
