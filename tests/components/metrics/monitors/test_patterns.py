"""Which regular expressions monitors may use."""

import pytest

from components.metrics.monitors import patterns


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "",
            "(.+)",
            "a|b",
            "|",
            "()",
            "go_(gc|memstats)_.*",
            r"\d+\.\w\s\-",
            "[^a-z_0-9-]+",
            "(?:a|b){2,3}?",
            "(?i)get",
        ),
        *("^a$", r"\bGET\b", "a{2,}", "(a{10}){100}", "ä+", "}", "]", r"[\]\[\\-]", "x*?", "apiserver_.+;(0.15|1e-05)"),
    ],
)
def test_common_expressions_are_accepted(pattern: str) -> None:
    assert patterns.size(pattern) <= patterns.LARGEST


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        # It would leave the anchors that Prometheus writes around it.
        ("a)|(b", "a parenthesis too many at letter 2"),
        ("(a", "a group that does not end"),
        ("(?=a)", "neither"),
        ("(?P<a>b)", "neither"),
        ("(?>a)", "neither"),
        ("a(?i)b", "neither"),
        (r"(a)\1", r"an escape, \1, that"),
        (r"\p{L}", r"an escape, \p, that"),
        (r"\Qa", r"an escape, \Q, that"),
        (r"\ä", "an escape"),
        ("\\", "an end too early"),
        ("a++", "a repetition of a repetition"),
        ("a**", "a repetition of a repetition"),
        ("^*", "a repetition of a position"),
        ("*a", "* without a meaning"),
        ("a{,3}", "a brace"),
        ("a{3,2}", "a brace"),
        ("a{01}", "a brace"),
        ("a{", "a brace"),
        ("[]", "] within a class"),
        ("[a", "an end too early"),
        ("[z-a]", "a range"),
        (r"[\d-z]", "a range"),
        ("[a-c-e]", "- within a class"),
        ("[[:alpha:]]", "[ within a class"),
        ("a{1001}", "repeats a part 1001 times"),
        ("(a{40}){40}", "repeats a part 1600 times"),
        ("(aaaaaaaaaa){1000}", "too large"),
        ("a" * 2001, "has 2001 letters"),
        ("(" * 60 + ")" * 60, "more than 50 nested groups"),
        ("a\n", "cannot be printed"),
        ("\ud800", "cannot be printed"),
    ],
)
def test_others_are_refused_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(patterns.UnclearError) as error:
        patterns.size(pattern)
    assert why in str(error.value)


def test_a_literal_matches_itself() -> None:
    assert patterns.literal("a.b+(c)[d]{2}|e^$?*\\") == r"a\.b\+\(c\)\[d\]\{2\}\|e\^\$\?\*\\"
