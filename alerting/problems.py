"""The only error type of this package; it lists every problem found, each with its file or key."""

from collections.abc import Sequence
from difflib import get_close_matches

from pydantic import ValidationError


class RulesError(ValueError):
    """Rules or routing are invalid. `problems` has one line per problem, in the order of the files."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def describe(error: ValidationError, where: str) -> list[str]:
    """Pydantic's errors as lines `where: path: reason; got value`."""
    return [
        f"{where}: {path(item['loc'])}: {reason(item['type'], item['msg'])}{_value(item)}" for item in error.errors()
    ]


def path(location: Sequence[int | str]) -> str:
    """`("groups", 0, "rules", 1, "expr")` as `groups[0].rules[1].expr`."""
    text = ""
    for part in location:
        if isinstance(part, str) and part.startswith("<"):  # a tag of alerting.model, not a key of the file
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "(whole file)"


def reason(kind: str, message: str) -> str:
    """Pydantic's message in this project's wording."""
    if kind == "extra_forbidden":
        return "unknown field"
    if kind == "missing":
        return "required, but missing"
    if kind in ("model_type", "dict_type"):
        return "must be an object"
    return message.removeprefix("Value error, ").replace("Input should", "must")


def closest(name: str, known: Sequence[str]) -> str:
    """`did you mean X?` when a name in `known` is similar, otherwise all known names."""
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known)) or '(none)'}"


def _value(item: object) -> str:
    """What stands at a key. Of a whole file nothing is shown: it may be any text."""
    details = item if isinstance(item, dict) else {}
    if details.get("type") == "missing" or not details.get("loc") or isinstance(details.get("input"), dict | list):
        return ""
    return f"; got {details.get('input')!r}"
