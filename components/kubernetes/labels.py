"""Labels and annotations that objects of the platform carry."""

NAME = "app.kubernetes.io/name"
PART_OF = "app.kubernetes.io/part-of"
PLATFORM = "observability"
"""Value of PART_OF on every object of the platform."""
# Namespaces whose pods may open Prometheus and Alertmanager.
ACCESS = "observability/access"
# Pods inside the cluster that Alertmanager may notify.
RECEIVER = "observability/notification-receiver"


def selector(app: str) -> dict[str, str]:
    """Labels that find the pods of an app. Without a version: a selector cannot change."""
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
    """Annotations of a pod whose metrics Prometheus finds by itself."""
    return {"prometheus.io/scrape": "true", "prometheus.io/port": str(port), "prometheus.io/path": path}
