"""Upload Overview: success and duration of uploads, storage operations, reconciliation."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.links import KEPT_TRACES
from dashboards.builder.look import Look
from dashboards.builder.panels import buckets, lines, single
from dashboards.builder.queries import grown, or_zero, percentiles, prom, prom_last, quantile, ratio
from dashboards.builder.variables import label_values, namespace_of
from dashboards.media_upload import signals as media

_DURATION = f"media_upload_duration_seconds_bucket{{{media.HERE}}}"
_OPERATIONS = f'{media.HERE}, operation=~"$operation"'
_STORAGE_FAILED = f'media_storage_operations_total{{{_OPERATIONS}, status="failure"}}'
_RECONCILIATION = f"media_reconciliation_errors_total{{{media.HERE}}}"


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="media-uploads",
        title="Upload Overview",
        system="media-upload",
        purpose="Do uploads succeed, how long do they take, and do storage and the reconciler work?",
        runbooks=[
            "MediaUploadFailureRateHigh",
            "MediaUploadSlow",
            "MediaStorageOperationFailures",
            "MediaReconciliationErrors",
        ],
        logs='{namespace=~"${namespace:pipe}", service="ingestor"}',
        links=media.explore("reconciler") | media.places(without="media-uploads"),
    )
    variables = [
        namespace_of("media-upload", "media_uploads_total"),
        label_values("operation", "operation", f"media_storage_operations_total{{{media.HERE}}}"),
        *media.log_variables(),
    ]
    promise = row(
        "Service level objective",
        media.objective("media-upload-availability", "Objective: 99.9 % of the uploads of 30 days succeed."),
    )
    rows = [_now(), promise, _uploads(), _storage(), media.log_row("ingestor|reconciler", "level")]
    return dashboard(about, variables, rows)


def _now() -> Row:
    return row(
        "Now",
        line(
            single(
                "Failed uploads",
                "Share of the uploads that fail. Empty without uploads.",
                prom(ratio("media_uploads_total", 'status="failure"', media.HERE), "failed"),
                Look(unit=units.RATIO, limits=media.UPLOAD_FAILURES),
            ),
            single(
                "95th percentile",
                "95 % of the uploads finish within this time.",
                prom(quantile(0.95, _DURATION), "p95"),
                Look(unit=units.SECONDS, limits=media.UPLOAD_SLOW),
            ),
            single(
                "Failed storage operations",
                "Storage operations that failed within the time range.",
                prom_last(or_zero(grown(_STORAGE_FAILED, "$__range")), "failed"),
                Look(unit=units.EXACT, decimals=0, limits=media.STORAGE_FAILURES),
            ),
            single(
                "Reconciliation errors",
                "Errors of the reconciler within the time range: a record and its object are inconsistent.",
                prom_last(or_zero(grown(_RECONCILIATION, "$__range")), "errors"),
                Look(unit=units.EXACT, decimals=0, limits=media.RECONCILIATION),
            ),
            single(
                "Uploads",
                "Uploads per second, failed ones included.",
                prom(f"sum(rate(media_uploads_total{{{media.HERE}}}[$__rate_interval]))", "uploads"),
                Look(unit=units.PER_SECOND),
            ),
            height=4,
        ),
    )


def _uploads() -> Row:
    by_status = f"sum by (status) (rate(media_uploads_total{{{media.HERE}}}[$__rate_interval]))"
    return row(
        "Uploads",
        line(
            lines(
                "Failed uploads of all",
                "Share of the uploads that fail, by namespace and app.",
                [
                    prom(
                        ratio("media_uploads_total", 'status="failure"', media.HERE, by="namespace, app"),
                        "{{namespace}} {{app}}",
                    )
                ],
                Look(unit=units.RATIO, limits=media.UPLOAD_FAILURES),
            ),
            lines(
                "Uploads by status",
                "Uploads per second.",
                [prom(by_status, "{{status}}")],
                Look(unit=units.PER_SECOND, stacked=True),
            ),
        ),
        line(
            lines(
                "Upload duration",
                "50 %, 95 % and 99 % of the uploads finish within this time. A point is one upload and links to its "
                f"trace. {KEPT_TRACES}",
                percentiles(_DURATION),
                Look(unit=units.SECONDS, limits=media.UPLOAD_SLOW),
            ),
            buckets(
                "Distribution of the duration",
                "Uploads by duration. Two bands indicate two types of uploads, which a percentile hides.",
                _DURATION,
            ),
        ),
    )


def _storage() -> Row:
    operations = f"sum by (operation) (rate(media_storage_operations_total{{{_OPERATIONS}}}[$__rate_interval]))"
    failed = grown(_STORAGE_FAILED, "5m", "operation")
    errors = grown(_RECONCILIATION, "10m", "namespace, pod")
    return row(
        "Storage and reconciliation",
        line(
            lines(
                "Failed storage operations",
                "Failures within the 5 minutes before each point, by operation. None is normal.",
                [prom(or_zero(failed, "operation"), "{{operation}}")],
                Look(unit=units.COUNT, at_least=1),
            ),
            lines(
                "Storage operations",
                "Operations per second, by operation, failed ones included.",
                [prom(operations, "{{operation}}")],
                Look(unit=units.PER_SECOND),
            ),
            lines(
                "Reconciliation errors",
                "Errors within the 10 minutes before each point, by pod of the reconciler. None is normal.",
                [prom(or_zero(errors, "pod"), "{{pod}}")],
                Look(unit=units.COUNT, at_least=1),
            ),
            height=11,
        ),
    )
