"""The service's metrics page follows the telemetry contract."""

import secrets

import pytest
from observability_fastapi import LABELS
from prometheus_client.parser import text_string_to_metric_families

from alerting import contract
from tests.observability.conftest import Api
from tests.simulator.pages import exposed

pytestmark = pytest.mark.e2e
METRICS = contract.load()["api"].metrics


def page(api: Api) -> str:
    answer = api.get("/metrics")
    assert answer.status_code == 200
    return answer.text


def test_the_page_has_the_metrics_of_the_contract_with_exactly_their_labels(api: Api) -> None:
    api.get(api.path)
    text = page(api)
    assert "# HELP request_count" in text
    found = {exposed(family): family.samples for family in text_string_to_metric_families(text)}
    assert set(METRICS["request_count"].labels) == set(LABELS)
    for name, metric in METRICS.items():
        assert found[name], name
        for sample in found[name]:
            assert set(sample.labels) - {"le"} == set(metric.labels), name


def test_a_query_for_the_bare_name_finds_the_counter(api: Api) -> None:
    api.get(api.path)
    assert any(line.startswith("request_count{") for line in page(api).splitlines())


def test_paths_do_not_become_series(api: Api) -> None:
    word = f"nothing-{secrets.token_hex(8)}"
    before = endpoints(api)
    for number in range(50):
        api.get(f"/{word}/{number}")
    after = endpoints(api)
    assert not any(word in endpoint for endpoint in after)
    # Other callers may add a few routes meanwhile. A series per path would add fifty.
    assert len(after - before) < 25
    assert api.route in after


def endpoints(api: Api) -> set[str]:
    families = text_string_to_metric_families(page(api))
    return {one.labels["endpoint"] for family in families for one in family.samples if "endpoint" in one.labels}
