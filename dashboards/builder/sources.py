"""Data sources. Panels refer to them through dashboard variables, so that one JSON works in every Grafana."""

from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import DataSourceRef


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data source variable; `name` is both the variable's name and the uid of its initial selection."""

    name: str
    title: str
    kind: str
    """Grafana's plugin id."""

    @property
    def ref(self) -> DataSourceRef:
        """The reference in panels and queries."""
        return DataSourceRef(type_val=self.kind, uid=f"${{{self.name}}}")


PROMETHEUS = Source(name="prometheus", title="Metrics", kind="prometheus")
LOKI = Source(name="loki", title="Logs", kind="loki")
JAEGER = Source(name="jaeger", title="Traces", kind="jaeger")
