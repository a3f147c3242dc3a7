"""Data sources: every panel names a dashboard variable, so that one JSON works in every Grafana."""

from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import DataSourceRef


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data source variable; `name` is at once its name and the uid that it starts with."""

    name: str
    title: str
    kind: str
    """Grafana's plugin id."""

    @property
    def ref(self) -> DataSourceRef:
        """What panels and queries carry."""
        return DataSourceRef(type_val=self.kind, uid=f"${{{self.name}}}")


PROMETHEUS = Source(name="prometheus", title="Metrics", kind="prometheus")
LOKI = Source(name="loki", title="Logs", kind="loki")
JAEGER = Source(name="jaeger", title="Traces", kind="jaeger")
