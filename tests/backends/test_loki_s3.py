"""The real Loki with our configuration on a real S3 server: the bucket is all that has to be kept.

The server is moto's, which checks signatures and speaks TLS; it is not AWS' S3, so nothing here proves IAM or KMS.
"""

import json
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from alerting import loader, missing_metrics
from components.logs import loki_config
from components.logs.loki_config import S3, LokiConfig
from local.ports import free_ports
from tests.backends.pod_identity import agent
from tests.backends.servers import S3Server, s3_server
from tools.programs import Server, eventually

BUCKET = "logs"
# What LokiRequestErrors asks of a store.
FAILED = "loki_ingester_chunks_flush_failures_total"
TRIED = "loki_ingester_chunks_flush_requests_total"
INDEX = "loki_tsdb_shipper_tables_upload_operation_total"
_DAY_NS = 86_400 * 10**9
# What the deployed configuration does in minutes and hours.
QUICK_RETRIES = {"min_period": "200ms", "max_period": "1s"}
QUICK_COMPACTOR = {"compaction_interval": "1s", "retention_delete_delay": "1s"}


class Loki(Server):
    """One replica with the configuration that a stack with this bucket gets, moved to the loopback and to `folder`."""

    def __init__(
        self,
        folder: Path,
        s3: S3Server,
        *,
        retention: str = "30d",
        credentials: dict[str, str] | None = None,
        compactor: dict[str, str] | None = None,
        cluster: str = "blue",
    ) -> None:
        http, grpc = free_ports(2)
        self.url = f"http://127.0.0.1:{http}"
        self.data = folder / "data"
        rendered = loki_config.render(
            LokiConfig(
                rule_files={},
                s3=S3(bucket=BUCKET, region="", endpoint=s3.endpoint),
                replicas=1,
                retention=retention,
                memory_bytes=2**29,
                cluster=cluster,
                evaluation_interval="1m",
                grafana_url="http://grafana.test",
                alertmanagers=["127.0.0.1:9"],
                peers="unused:7946",
            )
        )
        document = yaml.safe_load(rendered)
        document["server"] |= {
            "http_listen_address": "127.0.0.1",
            "http_listen_port": http,
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": grpc,
        }
        document["common"]["instance_addr"] = "127.0.0.1"
        document["ruler"]["storage"]["local"]["directory"] = str(folder / "rules")
        document["compactor"] |= compactor or {}
        document["ingester"]["flush_op_backoff"] = QUICK_RETRIES
        text = json.dumps(document).replace(f'"{loki_config.DATA}', f'"{self.data}')  # YAML, too
        (folder / "rules").mkdir(parents=True, exist_ok=True)
        config = folder / "loki.yaml"
        config.write_text(text)
        super().__init__(
            "loki",
            ["-target=all", f"-config.file={config}", "-config.expand-env=true"],
            folder,
            f"{self.url}/ready",
            {**s3.certificate.trusted, **(credentials or _key(s3.access_key_id, s3.secret_access_key))},
        )

    def write(self, namespace: str, text: str, at: int) -> None:
        """One line by OTLP, as the gateways send them; `at` in Unix nanoseconds."""
        resource = {"attributes": [{"key": "namespace", "value": {"stringValue": namespace}}]}
        record = {"timeUnixNano": str(at), "body": {"stringValue": text}}
        body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
        httpx.post(f"{self.url}/otlp/v1/logs", json=body, timeout=30).raise_for_status()

    def lines(self, namespace: str, at: int) -> list[str]:
        """What it knows of a minute around `at`, in Unix nanoseconds; for days it asks the bucket hundreds of times."""
        minute = 60 * 10**9
        parameters = {"query": f'{{namespace="{namespace}"}}', "start": at - minute, "end": at + minute}
        answer = httpx.get(f"{self.url}/loki/api/v1/query_range", params=parameters, timeout=60).raise_for_status()
        streams: list[dict[str, Any]] = answer.json()["data"]["result"]
        return [line for stream in streams for _, line in stream["values"]]

    def flush(self) -> None:
        """What it would do once a chunk is full, idle or old."""
        httpx.post(f"{self.url}/flush", timeout=30).raise_for_status()

    def metric(self, name: str, **labels: str) -> float | None:
        """What it says of itself: the sum of the series with these labels, None when there is none."""
        text = httpx.get(f"{self.url}/metrics", timeout=30).raise_for_status().text
        text = "\n".join(line for line in text.splitlines() if line.startswith(name)) + "\n"  # a page has thousands
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        fitting = [one.value for one in samples if one.name == name and labels.items() <= one.labels.items()]
        return sum(fitting) if fitting else None

    def end_and_lose_the_volume(self) -> None:
        """A node that goes, with its disk."""
        self.end()
        shutil.rmtree(self.data)


def _key(access_key_id: str, secret_access_key: str) -> dict[str, str]:
    """As the Secret gives it to Loki's pods."""
    return {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret_access_key}


def test_another_cluster_finds_the_lines_and_retention_deletes_them_from_the_bucket(tmp_path: Path) -> None:
    """The drill "the cluster is lost": of the first Loki, neither volume nor address nor cluster are there."""
    with s3_server(tmp_path / "s3", BUCKET) as s3:
        now = time.time_ns()
        past = now - 3 * _DAY_NS
        with Loki(tmp_path / "loki", s3) as loki:
            loki.write("past", "three days ago", past)
            loki.write("shop", "just now", now)
            assert s3.objects(BUCKET, loki_config.TENANT) == [], "chunks are still open: memory and write-ahead log"
            loki.end_and_lose_the_volume()
            assert len(s3.objects(BUCKET, loki_config.TENANT)) == 2
        with Loki(tmp_path / "green", s3, cluster="green") as loki:
            assert (loki.lines("past", past), loki.lines("shop", now)) == (["three days ago"], ["just now"])
            loki.end_and_lose_the_volume()
        with Loki(tmp_path / "green", s3, retention="1d", compactor=QUICK_COMPACTOR, cluster="green") as loki:
            eventually(lambda: s3.objects(BUCKET, "deletion-markers"), what="the compactor finds nothing too old")
            # What is to be deleted is noted in the bucket, so another replica does it. Besides, Loki looks into the
            # notes when it starts and then once a minute.
            loki.end_and_lose_the_volume()
            loki.start()
            eventually(
                lambda: len(s3.objects(BUCKET, loki_config.TENANT)) == 1, what="the compactor leaves what is too old"
            )
            assert loki.lines("shop", now) == ["just now"]
            assert loki.lines("past", past) == []


def test_a_bucket_that_is_away_for_a_while_loses_nothing_and_shows_in_what_the_alert_asks_for(tmp_path: Path) -> None:
    asked = missing_metrics.names(loader.load().rules()["LokiRequestErrors"].expr)
    assert {FAILED, TRIED, INDEX} < set(asked)
    with s3_server(tmp_path / "s3", BUCKET) as s3:
        with Loki(tmp_path / "loki", s3) as loki:
            assert [name for name in asked if loki.metric(name) is None] == []
            assert (loki.metric(FAILED), loki.metric(INDEX, status="failure")) == (0, None)
            s3.take_away(BUCKET)
            now = time.time_ns()
            loki.write("shop", "without a bucket", now)
            loki.flush()
            eventually(lambda: "NoSuchBucket" in loki.log, what="Loki says nothing of a bucket that is not there")
            eventually(
                lambda: (loki.metric(FAILED) or 0) > 1 and loki.metric(FAILED) == loki.metric(TRIED),
                what="tries that fail are not counted",
            )
            assert loki.metric("loki_request_duration_seconds_count", status_code="500") is None, "it answers well"
            assert loki.lines("shop", now) == ["without a bucket"]
            s3.give_back(BUCKET)
            loki.end_and_lose_the_volume()
        with Loki(tmp_path / "loki", s3) as loki:
            assert loki.lines("shop", now) == ["without a bucket"]


def test_an_index_that_cannot_be_stored_shows_in_what_the_alert_asks_for(tmp_path: Path) -> None:
    """Loki stores its index once a minute, and when it ends: which nobody has to wait for."""
    with s3_server(tmp_path / "s3", BUCKET) as s3, Loki(tmp_path / "loki", s3) as loki:
        now = time.time_ns()
        loki.write("shop", "just now", now)
        loki.flush()
        eventually(lambda: s3.objects(BUCKET, loki_config.TENANT), what="the chunk is not stored")
        s3.refuse_writes(f"{BUCKET}/index/index_*")
        # Its metrics are there until all its parts have ended: here the compactor, which stores a file of its own.
        with s3.holding(f"{BUCKET}/index/delete_requests/delete_requests.gz"):
            assert loki.process
            loki.process.send_signal(signal.SIGTERM)
            eventually(lambda: loki.metric(INDEX, status="failure"), what="tries that fail are not counted")
            assert loki.metric(FAILED) == 0
        loki.end()
        assert "failed to upload table" in loki.log
        loki.start()
        assert loki.lines("shop", now) == ["just now"]


def test_in_eks_loki_takes_the_identity_of_its_pod(tmp_path: Path) -> None:
    with (
        s3_server(tmp_path / "s3", BUCKET) as s3,
        agent(tmp_path, s3.access_key_id, s3.secret_access_key) as pod_identity,
        Loki(tmp_path / "loki", s3, credentials=pod_identity.environment) as loki,
    ):
        loki.write("shop", "just now", time.time_ns())
        loki.end()
        assert len(s3.objects(BUCKET, loki_config.TENANT)) == 1
        assert pod_identity.given


def test_a_wrong_key_ends_loki_with_s3_s_reason(tmp_path: Path) -> None:
    """The rollout fails with this line, the pod is restarted again and again, and PodCrashLooping tells."""
    with s3_server(tmp_path / "s3", BUCKET) as s3:
        loki = Loki(tmp_path / "loki", s3, credentials=_key(s3.access_key_id, "not-this-one"))
        loki.launch()
        assert loki.process
        try:
            assert loki.process.wait(timeout=120) != 0
        finally:
            loki.end()
        assert 'msg="error running loki"' in loki.log
        assert "api error SignatureDoesNotMatch" in loki.log
        assert "not-this-one" not in loki.log
        assert s3.objects(BUCKET) == []
