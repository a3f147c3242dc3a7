"""What a program put into a label is shown as text: a terminal neither obeys it nor shows it in another order."""

import io
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

import ops
from ops.terminal import Console, plain

FORGED = "a\x1b[2J\x1b]8;;https://evil.example\x07b\x9b31m\u202e\u2066\u200bc\x7f\r\x08d"
SHOWN = "a[2J]8;;https://evil.exampleb31mcd"


@pytest.mark.parametrize("form", [str, Text], ids=["as text", "as Rich's text"])
def test_a_terminal_obeys_no_label(form: type[str] | type[Text]) -> None:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None)
    table = Table("label")
    table.add_row(form(FORGED) if form is Text else FORGED.replace("[", r"\["))
    console.print(table)
    console.print(FORGED, markup=False)
    printed = file.getvalue()
    assert printed.count(SHOWN) == 2
    unseen = {letter for letter in printed if not letter.isprintable()}
    assert unseen <= {"\n"}, unseen


def test_own_styles_and_ends_of_lines_stay() -> None:
    file = io.StringIO()
    Console(file=file, force_terminal=True, color_system="standard").print("[red]one[/]\ntwo")
    assert file.getvalue() == "\x1b[31mone\x1b[0m\ntwo\n"
    assert plain("one\n\ttwo") == "one\n\ttwo"


def test_no_command_makes_another_console() -> None:
    texts = {str(file): file.read_text() for file in Path(ops.__file__).parent.rglob("*.py")}
    makes = {name for name, text in texts.items() if "Console(" in text and not name.endswith("terminal.py")}
    assert len(makes) > 3
    assert [name for name in makes if "from rich.console import Console" in texts[name]] == []
