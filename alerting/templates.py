"""Go templates in annotations: refused here what Prometheus refuses when it loads a rule file.

Prometheus parses each template with the variables and functions below; what only shows while it runs (a wrong type, a
query that fails) is not found here.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

VARIABLES = frozenset({"$", "$labels", "$externalLabels", "$externalURL", "$value"})
_BLOCKS = frozenset({"if", "range", "with", "define", "block"})
_KEYWORDS = _BLOCKS | {"else", "end", "template", "break", "continue"}
_CONSTANTS = frozenset({"true", "false", "nil"})
# Go's own, then those of Prometheus 3.13. Its `tmpl` is for console pages only, rules do not know it.
# fmt: off
_FUNCTIONS = frozenset(
    {
        "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print",
        "printf", "println", "slice", "urlquery", "args", "externalURL", "first", "graphLink", "humanize",
        "humanize1024", "humanizeDuration", "humanizePercentage", "humanizeTimestamp", "label", "match", "now",
        "parseDuration", "pathPrefix", "query", "reReplaceAll", "safeHtml", "sortByLabel", "strvalue", "stripDomain",
        "stripPort", "tableLink", "title", "toDuration", "toLower", "toTime", "toUpper", "urlQueryEscape", "value",
    }
)
# fmt: on
_ACTION = re.compile(
    r"""
    \{\{ (?:-\s)?
    (?: \s* /\*.*?\*/ \s* | (?P<code> (?: "(?:\\.|[^"\\\n])*" | `[^`]*` | (?!\}\}|["`]). )*? ) )
    (?:\s-)? \}\}
    """,
    re.VERBOSE | re.DOTALL,
)
_TOKEN = re.compile(
    r"""
    \s* (?: (?P<text> "(?:\\.|[^"\\\n])*" | `[^`]*` | '(?:\\.|[^'\\\n])+' )
      | (?P<number> [+-]?(?:0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+) )
      | (?P<variable> \$\w* ) (?: \.\w+ )*
      | (?P<field> (?: \.\w+ )+ | \. )
      | (?P<name> [A-Za-z_]\w* )
      | (?P<sign> :=|[=|(),] ) (?: \.\w+ )*
    )
    """,
    re.VERBOSE,
)
_Token = tuple[str, str]


class _Block(NamedTuple):
    word: str
    known: set[str]
    """Variables."""
    functions: frozenset[str]


class _TemplateError(ValueError):
    pass


def problem(text: str, *, functions: frozenset[str] = _FUNCTIONS, variables: frozenset[str] = VARIABLES) -> str | None:
    """What is wrong with a template; None when nothing is. Other programs have other functions and variables."""
    try:
        _check(text, functions, set(variables))
    except _TemplateError as error:
        return str(error)
    return None


def _check(text: str, functions: frozenset[str], variables: set[str]) -> None:
    blocks = [_Block("", variables, functions)]
    for code in _actions(text):
        tokens = list(_tokens(code))
        word = tokens[0][1] if tokens and tokens[0][0] == "name" else ""
        if word in ("else", "end", "break", "continue"):
            _inside(word, tokens[1:], blocks, code)
        elif word in _BLOCKS:
            blocks.append(blocks[-1]._replace(word=word, known=set(blocks[-1].known)))
            _pipeline(tokens[1:], blocks[-1], code)
        else:
            _pipeline(tokens[1:] if word == "template" else tokens, blocks[-1], code)
    if len(blocks) > 1:
        raise _TemplateError(f"{blocks[-1].word} has no {{{{ end }}}}")


def _inside(word: str, rest: list[_Token], blocks: list[_Block], code: str) -> None:
    """Check a word that has its place only inside a block; `end` closes the block."""
    opener = "range" if word in ("break", "continue") else "if, range or with"
    if len(blocks) == 1 or (opener == "range" and "range" not in [block.word for block in blocks]):
        raise _TemplateError(f"{{{{ {code} }}}} stands in no {opener}")
    if word == "else":
        blocks[-1] = blocks[-1]._replace(known=set(blocks[-2].known))
        if rest and rest[0] in (("name", "if"), ("name", "with")):
            _pipeline(rest[1:], blocks[-1], code)
            return
    if rest:
        raise _TemplateError(f"{rest[0][1]} is out of place in {{{{ {code} }}}}")
    if word == "end":
        blocks.pop()


def _actions(text: str) -> Iterator[str]:
    """What stands between each pair of braces; comments are left out."""
    position = 0
    while (position := text.find("{{", position)) >= 0:
        match = _ACTION.match(text, position)
        if not match:
            raise _TemplateError(f"unclosed {{{{ in {text[position : position + 40]!r}")
        if match["code"] is not None:
            yield match["code"].strip()
        position = match.end()


def _tokens(code: str) -> Iterator[_Token]:
    position = 0
    while position < len(code):
        match = _TOKEN.match(code, position)
        if not match or not match.lastgroup:
            raise _TemplateError(f"cannot be read: {code[position:].strip()!r} in {{{{ {code} }}}}")
        yield match.lastgroup, match[match.lastgroup]
        position = match.end()


def _pipeline(tokens: list[_Token], block: _Block, code: str) -> None:
    """Check what gives an action its value; variables that it declares become known in its block."""
    declared = next((index for index, token in enumerate(tokens) if token == ("sign", ":=")), -1)
    block.known.update(value for kind, value in tokens[: declared + 1] if kind == "variable")
    depth, piped = 0, False
    before: _Token = ("sign", "|")
    for kind, value in tokens[declared + 1 :]:
        _word(kind, value, block)
        depth += {"(": 1, ")": -1}.get(value, 0) if kind == "sign" else 0
        empty = before[0] == "sign" and before[1] in ("|", "(")
        constant = kind in ("text", "number") and before == ("sign", "|") and piped
        if depth < 0 or constant or (kind == "sign" and value in ("|", ")") and empty):
            raise _TemplateError(f"{value!r} is out of place in {{{{ {code} }}}}")
        before = (kind, value)
        piped = piped or before == ("sign", "|")
    if depth:
        raise _TemplateError(f"unclosed ( in {{{{ {code} }}}}")
    if declared + 1 == len(tokens):
        raise _TemplateError(f"a value is missing in {{{{ {code} }}}}")


def _word(kind: str, value: str, block: _Block) -> None:
    if kind == "variable" and value not in block.known:
        raise _TemplateError(f"unknown variable {value}; known: {', '.join(sorted(VARIABLES - {'$'}))}")
    if kind == "name" and value in _KEYWORDS:
        raise _TemplateError(f"{value} is out of place")
    if kind == "name" and value not in block.functions | _CONSTANTS:
        raise _TemplateError(f"unknown function {value}")
