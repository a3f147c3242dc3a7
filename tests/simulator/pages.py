"""Reads the metrics page of a simulated pod."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

_OF_THE_PROCESS = "process_"


def exposed(family: Metric) -> str:
    """The name that queries use; parsers take the suffix off a counter's."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def families(page: str) -> Iterator[Metric]:
    """The page's metric families, without those about the process, which every client library adds."""
    found = {family.name: family for family in text_string_to_metric_families(page)}
    assert f"{_OF_THE_PROCESS}resident_memory_bytes" in found
    return (family for name, family in found.items() if not name.startswith(_OF_THE_PROCESS))
