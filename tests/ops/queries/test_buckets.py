"""check-queries names the programs whose buckets end before the value that an alert needs."""

from alerting.model import Rule
from ops.queries import rule_queries
from ops.queries.query_check import Verdict
from tests.ops.queries.test_query_check import outcomes, stand_in
from tests.ops.stand_in import StandIn, result

__all__ = ["stand_in"]


def test_an_alert_beyond_the_buckets_of_a_program_cannot_fire(stand_in: StandIn) -> None:
    """Each program chooses its buckets: of three, one has too short ones, and one none but +Inf."""
    expression = 'histogram_quantile(0.95, sum by (le) (rate(d_seconds_bucket{a="b"}[5m]))) > 10'
    alert = Rule.model_validate(
        {
            "alert": "A",
            "expr": expression,
            "labels": {"severity": "info", "system": "s", "team": "t", "page": "false", "subject": "u"},
            "annotations": {"summary": "s", "description": "{{ $value | humanize }}", "dashboard_url": "/d/x"},
        }
    )
    found = [("short", "5"), ("short", "10"), ("short", "+Inf"), ("long", "30"), ("long", "+Inf"), ("bare", "+Inf")]
    labels = [{"namespace": "n", "app": app, "le": bound} for app, bound in found]
    stand_in.answers = {"/api/v1/query": result("vector", *({"metric": one, "value": [1, "1"]} for one in labels))}
    stand_in.series = {'d_seconds_bucket{a="b"}': [{}]}
    (outcome,) = outcomes(stand_in, [], rule_queries.read({"A": alert}))
    assert (outcome.verdict, outcome.good) == (Verdict.SHORT, False)
    assert outcome.expression == 'd_seconds_bucket{a="b"}'
    assert outcome.detail == (
        "the alert needs more than 10, and the last finite bucket of short (namespace n) ends at 10"
    )
    asked = [query["query"][0] for path, query in stand_in.queries if path == "/api/v1/query"]
    assert 'count by (namespace, app, le) (d_seconds_bucket{a="b"})' in asked
