"""The real Jaeger with our configuration for an OpenSearch."""

from pathlib import Path

import httpx

from components.traces import jaeger_config
from components.traces.jaeger_config import JaegerConfig
from tests.backends.servers import Certificate
from tests.collector.jaeger import TRACE, health, loopback
from tools.programs import Server

USER, PASSWORD = "jaeger", "Hush-hush-1"


class Jaeger(Server):
    """One replica with the configuration that a stack with this OpenSearch gets, on ports of its own."""

    def __init__(self, folder: Path, opensearch: str, tls: Certificate, password: str = PASSWORD) -> None:
        self.listen = loopback()
        self.query = f"http://127.0.0.1:{self.listen.query}"
        folder.mkdir(parents=True)
        config = folder / "jaeger.yaml"
        config.write_text(
            jaeger_config.render(
                JaegerConfig(
                    retention="7d",
                    prometheus="http://127.0.0.1:9",
                    storage="opensearch",
                    opensearch_urls=[opensearch],
                    opensearch_replicas=0,
                    listen=self.listen,
                )
            )
        )
        credentials = {jaeger_config.USERNAME_ENV: USER, jaeger_config.PASSWORD_ENV: password}
        super().__init__("jaeger", [f"--config={config}"], folder, health(self.listen), {**tls.trusted, **credentials})

    def operations(self) -> list[str]:
        """Names of the trace's spans."""
        (trace,) = httpx.get(f"{self.query}/api/traces/{TRACE}", timeout=30).raise_for_status().json()["data"]
        return [span["operationName"] for span in trace["spans"]]

    def services(self) -> list[str]:
        return httpx.get(f"{self.query}/api/services", timeout=30).raise_for_status().json()["data"]
