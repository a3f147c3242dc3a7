"""Labels and annotations of the platform's objects."""

NAME = "app.kubernetes.io/name"
PART_OF = "app.kubernetes.io/part-of"
PLATFORM = "observability"
"""Value of PART_OF on every object of the platform."""
# Label of namespaces whose pods may connect to Jaeger and Grafana, which let nobody change anything without a login.
ACCESS = "observability/access"
# Label of namespaces whose programs may vanish without a page, if its value is "true": the rules read it.
TEMPORARY = "observability/temporary"
# Label of namespaces whose pods may connect to Prometheus, Loki and Alertmanager as well. Whoever reads there may also
# write: push metrics and lines in the name of others, flush or end Loki, silence alerts. Each has one port for all.
CONTROL = "observability/control"
# Label of pods inside the cluster that Alertmanager and Grafana may notify.
RECEIVER = "observability/notification-receiver"


def selector(app: str) -> dict[str, str]:
    """Labels that select the pods of an app. They exclude the version, because selectors are immutable."""
    return {NAME: app}


def labels(app: str, version: str | None = None) -> dict[str, str]:
    """All labels of an object that belongs to an app."""
    common = {
        **selector(app),
        PART_OF: PLATFORM,
        "app.kubernetes.io/managed-by": "pulumi",
    }
    return common if version is None else {**common, "app.kubernetes.io/version": version}


def scrape(port: int, path: str = "/metrics") -> dict[str, str]:
    """Annotations of a pod that make Prometheus scrape it."""
    return {"prometheus.io/scrape": "true", "prometheus.io/port": str(port), "prometheus.io/path": path}
