# ruff: noqa: E501  (a case of a table stays on its line)
"""LogQL is refused here when, and only when, Loki refuses it; the exceptions are listed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting import logql
from tools.rule_tests.loki_server import LokiServer

GOOD = [
    'rate({a="b"}[5m])',
    'sum by (a, b) (count_over_time({a="b", c!="d", e=~"f.+", g!~"h"} [5m])) / 5 > 10',
    'sum(rate({a="b"} |= "x" != "y" |~ "z[0-9]+" !~ "w" |> "<_> x" !> "y <_>" [1m])) without (c)',
    'rate({a="b"} |= "x" or "y" or "z" [1m])',
    'rate({a="b"} |= ip("10.0.0.0/8") | addr = ip("10.0.0.1") [1m])',
    'rate({a="b"} | json | logfmt --strict --keep-empty | unpack | decolorize [1m])',
    'rate({a="b"} | json x="a.b[0]", y | logfmt z="q", w [1m])',
    'rate({a="b"} | regexp "(?P<status>[0-9]+)" | pattern `<ip> - <_> "<method> <_>"` [1m])',
    'rate({a="b"} | line_format "{{.x}}" | label_format x=y, z="{{.w}}" [1m])',
    'rate({a="b"} | drop x, y="z" | keep a, b=~"c.*" [1m])',
    'rate({a="b"} | level="ERROR" and (d > 10ms or e <= 5KB) , f == 1.5 g != 2 [1m])',
    'rate({a="b"} | x > -5 | y >= 1h30m | z < 10.5MiB [1m])',
    'sum(sum_over_time({a="b"} | json | unwrap x | __error__="" [5m] offset 1m))',
    'quantile_over_time(0.99, {a="b"} | json | unwrap duration(x) [5m]) by (c)',
    'max_over_time({a="b"} | unwrap bytes(x) | x > 5 [5m]) without (c)',
    'rate(({a="b"} |= "x")[5m])',
    'rate({a="b"}[5m] |= "x" | json)',
    'rate({a="b"}[5m] offset 1h |= "x")',
    'sum_over_time({a="b"}[5m] | unwrap x)',
    'sum_over_time(({a="b"} | unwrap x)[5m] offset 1m)',
    'rate((({a="b"}[5m])))',
    'topk(5, sum by (a) (rate({a="b"}[5m])))',
    'bottomk(1, rate({a="b"}[5m])) by (c)',
    'approx_topk(3, sum by (a) (rate({a="b"}[5m])))',
    'sort_desc(sum by (a) (rate({a="b"}[5m])))',
    'label_replace(rate({a="b"}[5m]), "x", "$1", "y", "(.*)")',
    'absent_over_time({a="b"}[5m])',
    "vector(1)",
    'rate({a="b"}[1m]) or vector(0)',
    'rate({a="b"}[1m]) > bool on (x) group_left (y) rate({a="c"}[1m])',
    'rate({a="b"}[1m]) / ignoring () group_right rate({a="c"}[1m])',
    '(rate({a="b"}[1m]) > 1) and (rate({a="b"}[1m]) < 2) unless rate({a="c"}[1m])',
    '-1 + 2 ^ 3 ^ 2 * rate({a="b"}[1m]) % 5 == 4',
    '.5 * rate({a="b"}[1m]) > 1e3',
    '# a comment\nrate({a="b"}[1m]) # one more',
    'SUM(RATE({a="b"}[1m])) BY (x)',
    'rate({rate="b", sum!="c"} | count > 1 | ip="x" | bytes="y" [1m])',
    'count_over_time({a="b"}[1h30m])',
    'rate({a=~".+"}[1m]) > 0',
    'rate({a!=""}[1m]) > 0',
    'rate({a="b"} | x=`\\d` |= `"` |= "\\"\\u00e9" [1m])',
    'rate({a="b"} |= "" [1m])',
]  # fmt: skip
BAD = [
    "",
    "foo > 1",
    "up",
    'rate({a="b"})',
    'rate({a="b"}[5m]',
    'rate({a="b"}[5x])',
    'rate({a="b"}[])',
    'rate({a="b"[5m])',
    'rate({a=b}[5m])',
    'rate({a}[5m])',
    "rate({}[5m])",
    'rate({a=~".*"}[5m])',
    'rate({a!="b"}[5m])',
    'rate({a=""}[5m])',
    'rate({a!~"b"}[5m])',
    'rate({a=~"("}[5m])',
    'rate({a="b",}[5m])',
    'rate({json="b"}[5m])',
    'rate({a="b"} | [5m])',
    'rate({a="b"} | level [5m])',
    'rate({a="b"} | level=ERROR [5m])',
    'rate({a="b"} | level="ERROR" or [5m])',
    'rate({a="b"} | level=~"(" [5m])',
    'rate({a="b"} | level>"ERROR" [5m])',
    'rate({a="b"} |= x [5m])',
    'rate({a="b"} |= "x [5m])',
    'rate({a="b"} |= "\\d" [5m])',
    'rate({a="b"} | jsn [5m])',
    'rate({a="b"} | regexp "x" [5m])',
    'rate({a="b"} | regexp "(?P<a>x)(?P<a>y)" [5m])',
    'rate({a="b"} | regexp "(" [5m])',
    'rate({a="b"} | pattern "x" [5m])',
    'rate({a="b"} | pattern "<a><b>" [5m])',
    'rate({a="b"} | pattern "<a> <a>" [5m])',
    'rate({a="b"} | line_format x [5m])',
    'rate({a="b"} | label_format x [5m])',
    'rate({a="b"} | drop [5m])',
    'rate({a="b"} | unwrap x | json [5m])',
    'rate({a="b"} | unwrap seconds(x) [5m])',
    'rate({a="b"} |= "x" [5m] | unwrap x)',
    'count_over_time({a="b"} | unwrap x [5m])',
    'sum_over_time({a="b"}[5m])',
    'quantile_over_time({a="b"} | unwrap x [5m])',
    'rate(5, {a="b"}[5m])',
    'rate({a="b"}[5m]) by (x)',
    'rate({a="b"}[5m] offset 5)',
    'rate({a="b"}[5m]) offset 5m',
    'topk(rate({a="b"}[5m]))',
    'topk(0, rate({a="b"}[5m]))',
    'topk(1.5, rate({a="b"}[5m]))',
    'sum(2, rate({a="b"}[5m]))',
    'sum by a (rate({a="b"}[5m]))',
    'sum by (x) (rate({a="b"}[5m])) by (y)',
    'sort(rate({a="b"}[5m])) by (x)',
    'approx_topk(3, rate({a="b"}[5m])) by (x)',
    'increase({a="b"}[5m])',
    'sum({a="b"})',
    'histogram_quantile(0.9, rate({a="b"}[5m]))',
    'label_replace(rate({a="b"}[5m]), "x", "$1", "y")',
    'label_replace(rate({a="b"}[5m]), "x", "$1", "y", "(")',
    'rate({a="b"}[5m]) >',
    'rate({a="b"}[5m]) > > 1',
    'rate({a="b"}[5m]) => 1',
    'rate({a="b"}[5m]) and 1',
    'rate({a="b"}[5m]) > {a="b"}',
    '-rate({a="b"}[5m])',
    'rate({a="b"}[5m]) 5',
    'rate({a="b"}[5m])) > 1',
    'rate({a="b"}[5m]) > on rate({a="c"}[5m])',
    'rate({a="b"}[5m]) > group_left rate({a="c"}[5m])',
    "vector(x)",
    "0x10",
]  # fmt: skip
# Loki's parser takes these, and its ruler fails at each evaluation, or alerts on nothing that anybody wants.
STRICTER = {
    '{a="b"}': "must be an instant vector, not log lines",
    '{a="b"} |= "x" | json': "must be an instant vector, not log lines",
    "1": "must be an instant vector, not a scalar",
    "(1 + 2) * 3": "must be an instant vector, not a scalar",
    'rate({a="b"} |~ "(" [5m])': "is no valid LogQL: '(' is no valid regular expression: ",
    'rate({a="b"} |> "<x>" [5m])': "is no valid LogQL: pattern '<x>' may capture nothing in a line filter; write <_>",
    'rate({a="b"} |= ip("") [5m])': "is no valid LogQL: ip needs an address, a range or a CIDR",
    "sum(1)": "is no valid LogQL: sum needs a vector, not a scalar",
    'rate({a="b"}[5m]) // a comment': "is no valid LogQL: ",
    'variants(rate({a="b"}[5m])) of ({a="b"}[5m])': "is no valid LogQL: ",
}


@pytest.mark.parametrize("expression", GOOD)
def test_takes_what_loki_takes(server: LokiServer, expression: str) -> None:
    assert (logql.problem(expression), server.parses(expression)) == (None, True)


@pytest.mark.parametrize("expression", BAD)
def test_refuses_what_loki_refuses(server: LokiServer, expression: str) -> None:
    assert (logql.problem(expression) or "").startswith("is no valid LogQL: ")
    assert not server.parses(expression)


@pytest.mark.parametrize(("expression", "problem"), STRICTER.items())
def test_refuses_what_the_ruler_could_not_use(server: LokiServer, expression: str, problem: str) -> None:
    assert (logql.problem(expression) or "").startswith(problem)
    assert server.parses(expression)


@given(st.text(alphabet='{}[]()ab="|!~,5m>+ \n#`\\', max_size=30) | st.lists(st.sampled_from([
    '{a="b"}', "rate", "sum", "(", ")", "[5m]", "|", "json", "unwrap", "x", "=", '"y"', ">", "1", "by", "offset", "or", ","
]), max_size=12).map(" ".join))  # fmt: skip
def test_anything_is_either_taken_or_refused(expression: str) -> None:
    assert logql.problem(expression) is None or logql.problem(expression)
