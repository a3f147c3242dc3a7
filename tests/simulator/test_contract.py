"""The simulated pods of SpecCursor, media upload and clustering export exactly the metrics of rules/contract."""

import pytest

from alerting import contract
from simulator.__main__ import build
from simulator.systems import contract as system_contract
from tests.simulator.client import Client
from tests.simulator.pages import exposed, families

Family = tuple[str, set[str]]

CONTRACTS = contract.load()
STATUS_VALUES = {"success", "failure"}


@pytest.mark.parametrize(
    ("role", "system"),
    [("speccursor", "speccursor"), ("media-upload", "media-upload"), ("sploot-cluster", "media-clustering")],
)
def test_a_pod_exports_exactly_its_contract(role: str, system: str) -> None:
    text = Client(build(role)).get("/metrics").text
    found: dict[str, Family] = {}
    for family in families(text):
        name = exposed(family)
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, labels)
        values = {sample.labels["status"] for sample in family.samples if "status" in sample.labels}
        assert values <= ({"ok", "error"} if name.startswith("graphql") else STATUS_VALUES)
        assert family.samples or name == "http_request_duration_seconds"

    wanted = {name: (metric.type, set(metric.labels)) for name, metric in CONTRACTS[system].metrics.items()}
    # Request durations appear with the first run.
    first_run = "http_request_duration_seconds"
    assert found.pop(first_run, None) in (None, (wanted.get(first_run, ("",))[0], set()))
    wanted.pop(first_run, None)
    assert found == wanted


def test_buckets_of_what_is_no_histogram_are_refused() -> None:
    with pytest.raises(ValueError, match=r"active_jobs, missing: not a histogram of rules/contract/speccursor\.yaml"):
        system_contract.metrics("speccursor", {"active_jobs": (1.0,), "missing": (1.0,)})


def test_simulated_series_exist_only_while_a_fault_is_on() -> None:
    client = Client(build("platform-faults"))

    def series() -> list[str]:
        return [str(sample) for family in families(client.get("/metrics").text) for sample in family.samples]

    assert series() == []
    faults = client.get("/faults").json()
    for fault in faults:
        client.put(f"/faults/{fault['fault']}")
    assert len(series()) >= len(faults)
    assert all(fault["description"].startswith("Simulated series") for fault in faults)


@pytest.mark.parametrize("role", ["server", "speccursor", "api", "media-upload", "sploot-cluster", "platform-faults"])
def test_switches_are_named_like_their_alerts(role: str) -> None:
    client = Client(build(role))
    for fault in client.get("/faults").json():
        if fault["alert"]:
            assert client.put(f"/faults/{fault['alert']}").status_code == 200
            assert client.delete(f"/faults/{fault['alert']}").json()["was_on"] is True
