"""The simulated pods of SpecCursor, media upload and clustering export exactly what the telemetry contract names."""

import pytest

from simulator.__main__ import build
from tests.simulator.client import Client
from tests.simulator.pages import families

Family = tuple[str, set[str]]

# Telemetry contract, section 2: name -> (type, labels). The requests' durations appear with the first run.
SPECCURSOR: dict[str, Family] = {
    "upgrade_duration_seconds": ("histogram", {"service", "ecosystem", "status"}),
    "upgrades_total": ("counter", {"ecosystem", "status"}),
    "proof_latency_seconds": ("histogram", {"status"}),
    "proofs_total": ("counter", {"status", "complexity"}),
    "ai_tokens_total": ("counter", {"model", "direction"}),
    "ai_requests_total": ("counter", {"status"}),
    "ai_generation_seconds": ("histogram", {"model"}),
    "active_jobs": ("gauge", {"service"}),
    "queue_depth": ("gauge", {"service"}),
    "http_request_duration_seconds": ("histogram", set()),
    "webhook_signature_failures_total": ("counter", {"source"}),
    "auth_failures_total": ("counter", {"service"}),
    "api_suspicious_requests_total": ("counter", {"reason"}),
}
# Section 3.
MEDIA: dict[str, Family] = {
    "media_uploads_total": ("counter", {"status"}),
    "media_upload_duration_seconds": ("histogram", set()),
    "media_storage_operations_total": ("counter", {"operation", "status"}),
    "media_reconciliation_errors_total": ("counter", set()),
    "graphql_requests_total": ("counter", {"operation", "status"}),
    "gateway_request_duration_seconds": ("histogram", {"route"}),
    "gateway_requests_total": ("counter", {"route", "code"}),
    "gateway_auth_failures_total": ("counter", {"reason"}),
    "gateway_rate_limited_total": ("counter", {"client"}),
    "variant_generation_total": ("counter", {"resolution", "aspect_ratio", "status"}),
    "variant_generation_duration_seconds": ("histogram", {"resolution"}),
    "pg_connections": ("gauge", set()),
    "pg_max_connections": ("gauge", set()),
    "nats_consumer_num_pending": ("gauge", {"stream", "consumer"}),
    "nats_consumer_num_ack_pending": ("gauge", {"stream", "consumer"}),
    "redis_memory_used_bytes": ("gauge", set()),
    "redis_memory_max_bytes": ("gauge", set()),
    "redis_keyspace_hits_total": ("counter", set()),
    "redis_keyspace_misses_total": ("counter", set()),
    "minio_s3_traffic_sent_bytes": ("unknown", set()),
    "minio_s3_traffic_received_bytes": ("unknown", set()),
    "minio_cluster_usage_total_bytes": ("gauge", set()),
    "minio_cluster_capacity_usable_total_bytes": ("gauge", set()),
    "opensearch_cluster_status": ("gauge", set()),
    "opensearch_cluster_shards_number": ("gauge", {"type"}),
}
# Section 4.
CLUSTERING: dict[str, Family] = {
    "cluster_jobs_total": ("counter", {"outcome"}),
    "cluster_job_duration_seconds": ("histogram", {"backend"}),
    "cluster_feedback_operations_total": ("counter", {"operation", "outcome"}),
    "cluster_last_noise_count": ("gauge", set()),
    "media_cluster_pending_jobs": ("gauge", set()),
    "media_cluster_stream_lag_seconds": ("gauge", set()),
}
STATUS_VALUES = {"success", "failure"}


@pytest.mark.parametrize(
    ("role", "contract"),
    [("speccursor", SPECCURSOR), ("media-upload", MEDIA), ("sploot-cluster", CLUSTERING)],
)
def test_a_pod_exports_the_contract_and_nothing_else(role: str, contract: dict[str, Family]) -> None:
    text = Client(build(role)).get("/metrics").text
    found: dict[str, Family] = {}
    for family in families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, labels)
        values = {sample.labels["status"] for sample in family.samples if "status" in sample.labels}
        assert values <= ({"ok", "error"} if name.startswith("graphql") else STATUS_VALUES)
        assert family.samples or name == "http_request_duration_seconds"

    assert found == contract


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
