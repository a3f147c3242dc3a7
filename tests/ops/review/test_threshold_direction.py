"""Whether a higher threshold makes an alert looser (-1) or tighter (1)."""

import pytest

from ops.review.threshold_direction import direction, looser


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("up > 5", 5, -1),
        ("up >= 5", 5, -1),
        ("up < 5", 5, 1),
        ("5 < up", 5, -1),
        ("5 > up", 5, 1),
        ("a / b > 0.1", 0.1, -1),
        ("a > 3 * b", 3, -1),
        ("a > b / 4", 4, 1),
        ("a - 4 > b", 4, -1),
        ("(sum(rate(a[5m])) > 0.1) and b > 7", 7, -1),
        ("a > 1 unless b > 7", 7, 1),
        ("a > 1 unless b > 7", 1, -1),
        ("sum(a > 7) > 1", 7, -1),
        ("-a > 7", 7, -1),
        ("a == 7", 7, None),
        ("predict_linear(a[1h], 14400) < 0", 14400, None),
        ("clamp_max(a, 3) > 1", 3, None),
        ("a > 5 or b < 5", 5, None),
        ("a > 1", 9, None),
    ],
)
def test_direction_of_thresholds_on_metrics(expression: str, value: float, expected: int | None) -> None:
    assert direction(expression, "prometheus", value) == expected


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ('sum(count_over_time({app="a"} |= "error" [5m])) > 10', 10, -1),
        ('sum(rate({app="a"} | json | ms >= 500 [5m])) < 2', 2, 1),
        ('sum(rate({app="a"}[5m])) > 3', 7, None),
    ],
)
def test_direction_of_thresholds_on_logs(expression: str, value: float, expected: int | None) -> None:
    assert direction(expression, "loki", value) == expected


def test_looser_depends_on_the_comparison() -> None:
    assert looser("a > 5", "prometheus", 5, 6) is True
    assert looser("a > 5", "prometheus", 5, 4) is False
    assert looser("a < 5", "prometheus", 5, 4) is True
    assert looser("a == 5", "prometheus", 5, 4) is None
