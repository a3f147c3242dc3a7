"""Which regular expressions a monitor may use: those that Prometheus certainly compiles, and cheaply.

Needs only Python. One that it does not compile would keep it from starting. What is accepted means the same in RE2 and
in most other dialects: characters, classes, groups, alternatives and repetitions; no look-around, back-references,
possessive repetitions, atomic groups, flags but (?i) at the beginning, named groups, and names of character classes.
"""

import re

LONGEST = 2000
"""Letters of an expression. The longest in common charts, lists of metrics to drop, have some 800."""
LARGEST = 5000
"""Instructions of the compiled program, about: RE2 writes a repeated part as often as it may be there."""
_DEEPEST = 50
# RE2 refuses more, also as the product of nested repetitions.
_MOST_REPETITIONS = 1000
_ANY_CASE = "(?i)"
_CLASSES = "dDsSwW"
_BLANKS = "fnrtv"
# Of one character outside of a class, except those that mean something there.
_SPECIAL = "\\.^$|?*+()[{"


class UnclearError(Exception):
    """Something that is too large, or not in the common part of the dialects."""


def size(pattern: str) -> int:
    """Instructions of the compiled pattern, about. Raises UnclearError with the reason if it is not accepted."""
    if len(pattern) > LONGEST:
        raise UnclearError(f"has {len(pattern)} letters; allowed: {LONGEST}")
    if not pattern.isprintable():
        raise UnclearError("has a character that cannot be printed")
    reader = _Reader(pattern)
    try:
        instructions, repetitions = reader.alternatives(0)
    except UnclearError as error:
        raise UnclearError(f"has {error} at letter {reader.at + 1}") from None
    if reader.at < len(pattern):
        raise UnclearError(f"has a parenthesis too many at letter {reader.at + 1}")
    if repetitions > _MOST_REPETITIONS:
        raise UnclearError(f"repeats a part {repetitions} times; allowed: {_MOST_REPETITIONS}")
    if instructions > LARGEST:
        raise UnclearError(f"is too large, about {instructions} instructions; allowed: {LARGEST}")
    return instructions


def literal(text: str) -> str:
    """A pattern that matches exactly this text."""
    return "".join(f"\\{one}" if one in "\\.^$|?*+()[]{}" else one for one in text)


class _Reader:
    """Reads a pattern from left to right. Each method returns the size and the repetitions of what it has read."""

    def __init__(self, pattern: str) -> None:
        self.at = len(_ANY_CASE) if pattern.startswith(_ANY_CASE) else 0
        self._pattern = pattern

    def _next(self) -> str:
        return self._pattern[self.at : self.at + 1]

    def _take(self) -> str:
        if not (one := self._next()):
            raise UnclearError("an end too early")
        self.at += 1
        return one

    def _skip(self, text: str) -> bool:
        if found := self._pattern.startswith(text, self.at):
            self.at += len(text)
        return found

    def alternatives(self, depth: int) -> tuple[int, int]:
        """Until the end, or until the parenthesis that ends a group."""
        if depth > _DEEPEST:
            raise UnclearError(f"more than {_DEEPEST} nested groups")
        size, repetitions = 1, 1
        while (one := self._next()) and one != ")":
            if self._skip("|"):
                size += 1
                continue
            part, times = self._repeated(depth)
            size, repetitions = size + part, max(repetitions, times)
        return size, repetitions

    def _repeated(self, depth: int) -> tuple[int, int]:
        if self._next() in ("^", "$") or self._pattern[self.at : self.at + 2].lower() == "\\b":
            self.at += 1 + (self._next() == "\\")
            if self._next() and self._next() in "*+?{":
                raise UnclearError("a repetition of a position")
            return 1, 1
        size, repetitions = self._atom(depth)
        count = self._count()
        if count is None:
            return size, repetitions
        self._skip("?")
        if self._next() and self._next() in "*+?{":
            raise UnclearError("a repetition of a repetition")
        return size * max(count, 1) + 2, repetitions * max(count, 1)

    def _count(self) -> int | None:
        """How often the part before is in the program; None if it is not repeated."""
        if self._next() and self._next() in "*+?":
            self.at += 1
            return 1
        if not self._skip("{"):
            return None
        inside, brace, _ = self._pattern[self.at :].partition("}")
        low, comma, high = inside.partition(",")
        numbers = [int(one) for one in (low, high) if re.fullmatch("0|[1-9][0-9]{0,3}", one)]
        if not brace or len(numbers) != (2 if high else 1) or numbers != sorted(numbers) or not low:
            raise UnclearError("a brace that begins no repetition such as {2} or {1,3}")
        self.at += len(inside) + 1
        return numbers[-1] + (1 if comma and not high else 0)

    def _atom(self, depth: int) -> tuple[int, int]:
        if self._skip("("):
            self._skip("?:")
            if self._next() == "?":
                raise UnclearError("a group that is neither (…) nor (?:…)")
            size, repetitions = self.alternatives(depth + 1)
            if not self._skip(")"):
                raise UnclearError("a group that does not end")
            return size + 2, repetitions
        if self._skip("["):
            return self._set()
        if self._skip("\\"):
            self._escaped(f"{_CLASSES}{_BLANKS}")
            return 1, 1
        one = self._take()
        if one != "." and one in _SPECIAL:
            raise UnclearError(f"{one} without a meaning")
        return 1, 1

    def _escaped(self, letters: str) -> str:
        """The character behind a backslash: punctuation, or one of the letters."""
        one = self._take()
        if one not in letters and (not one.isascii() or one.isalnum() or one == " "):
            raise UnclearError(f"an escape, \\{one}, that dialects read differently,")
        return one

    def _set(self) -> tuple[int, int]:
        self._skip("^")
        size = 0
        while size == 0 or self._next() != "]":
            low = self._member(first=size == 0)
            size += 1
            if self._next() != "-" or self._pattern[self.at + 1 : self.at + 2] in ("", "]"):
                continue
            self.at += 1
            high = self._member(first=False)
            if not low or not high or low > high:
                raise UnclearError("a range without a beginning and an end")
        self.at += 1
        return 1 + size, 1

    def _member(self, *, first: bool) -> str:
        """One character of a class; empty for a class such as \\d. A hyphen stands first, or last."""
        one = self._take()
        if one == "\\":
            named = self._escaped(f"{_CLASSES}{_BLANKS}")
            # Not a beginning or an end of a range: that of \n is not the letter n.
            return "" if named in f"{_CLASSES}{_BLANKS}" else named
        if one in "[]" or (one == "-" and not first and self._next() != "]"):
            raise UnclearError(f"{one} within a class, without a backslash,")
        return one
