"""Names of the metrics that remote write copies: only what Python and Prometheus read alike, and only with a copy."""

import pytest

from settings import stack as settings
from settings.types import METRIC_NAMES
from tests.mock_engine import SECRETS, stack_config


@pytest.mark.parametrize("names", ["(?i)up", "up(", "a++", "a*?", "up$", "[b-a]", "up up"])
def test_an_expression_that_prometheus_may_read_otherwise_is_refused(names: str) -> None:
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(stack_config("production") | SECRETS | {"remoteWriteKeep": names}, list(SECRETS))
    assert error.value.problems == (
        f'observability:remoteWriteKeep: "{names}" is not allowed; allowed: {METRIC_NAMES}',
    )


@pytest.mark.parametrize("key", ["remoteWriteKeep", "remoteWriteDrop"])
def test_metrics_are_chosen_only_where_they_are_copied(key: str) -> None:
    copied = stack_config("production") | SECRETS | {key: "slo:.+|job_[a-z]+"}
    settings.parse(copied, list(SECRETS))
    with pytest.raises(settings.SettingsError, match=rf"{key}: .* only with remoteWriteUrl or managedPrometheus"):
        settings.parse(copied | {"managedPrometheus": "false"}, list(SECRETS))
