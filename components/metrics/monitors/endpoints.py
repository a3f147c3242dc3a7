"""How an endpoint of a monitor is asked: path, parameters, interval, TLS and limits. Needs only Python."""

import re
from collections.abc import Mapping
from typing import Any

from . import fields
from .fields import Fields, SkippedError, refusal

KNOWN = (
    *("port", "portNumber", "targetPort", "path", "scheme", "params", "interval", "scrapeTimeout", "tlsConfig"),
    *("honorLabels", "honorTimestamps", "trackTimestampsStaleness", "relabelings", "metricRelabelings"),
    # Without effect here: Prometheus follows no redirect and scrapes no pod that has ended, and chooses HTTP/2 itself.
    *("followRedirects", "enableHttp2", "filterRunning"),
)
"""Fields of an endpoint that count, or that change nothing."""
_NO_LOGIN = "Prometheus reads no Secrets of services; let a NetworkPolicy admit Prometheus alone instead"
_PROXY = "Prometheus reaches pods without a proxy"
REFUSED = {
    **dict.fromkeys(("basicAuth", "authorization", "bearerTokenSecret", "oauth2"), _NO_LOGIN),
    "bearerTokenFile": "this would send a file of Prometheus, such as its token, to a pod",
    **dict.fromkeys(("proxyUrl", "noProxy", "proxyFromEnvironment", "proxyConnectHeader"), _PROXY),
}
"""Fields of an endpoint that are refused -> why."""
TLS_KNOWN = ("insecureSkipVerify", "serverName", "minVersion", "maxVersion")
"""Fields of an endpoint's TLS that count."""
TLS_REFUSED = {
    **dict.fromkeys(("ca", "cert", "keySecret"), "Prometheus reads no Secrets or ConfigMaps of observed services"),
    **dict.fromkeys(("caFile", "certFile", "keyFile"), "Prometheus reads no files for monitors"),
}
"""Fields of an endpoint's TLS that are refused -> why."""
_VERSIONS = ("TLS10", "TLS11", "TLS12", "TLS13")
_PROTOCOLS = (
    *("PrometheusProto", "OpenMetricsText0.0.1", "OpenMetricsText1.0.0", "PrometheusText0.0.4", "PrometheusText1.0.0"),
)

_UNITS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit in _UNITS), re.ASCII)
LONGEST_INTERVAL = 120_000
"""Milliseconds. A series is stale five minutes after its last sample, and the rules look for targets within two."""
_PATH = r"/[A-Za-z0-9_.~!$&'()*+,;=:@%/-]*"
_PARAMETER = r"[A-Za-z0-9_.\[\]-]{1,64}"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"

_SIZE = re.compile(r"([0-9]{0,9}(?:\.[0-9]{1,9})?)([KMGTPE]?)i?B", re.ASCII)


def asked(endpoint: Fields, where: str, shortest: int, timeout: int) -> dict[str, Any]:
    """The request, in Prometheus' names. `shortest` and `timeout` are the platform's own, in milliseconds."""
    fields.only(endpoint, where, KNOWN, REFUSED)
    found: dict[str, Any] = _times(endpoint, where, shortest, timeout)
    if path := fields.matching(endpoint.get("path"), f"{where}.path", _PATH, "a path; its query belongs to params"):
        found["metrics_path"] = path
    scheme = fields.text(endpoint.get("scheme"), f"{where}.scheme", 10).lower()
    if scheme not in ("", "http", "https"):
        raise refusal(f"{where}.scheme", scheme, "http or https")
    if scheme:
        found["scheme"] = scheme
    if parameters := _parameters(endpoint.get("params"), f"{where}.params"):
        found["params"] = parameters
    if tls := _tls(fields.part(endpoint.get("tlsConfig"), f"{where}.tlsConfig"), f"{where}.tlsConfig"):
        found["tls_config"] = tls
    for field, name in (
        ("honorTimestamps", "honor_timestamps"),
        ("trackTimestampsStaleness", "track_timestamps_staleness"),
    ):
        if (given := fields.flag(endpoint.get(field), f"{where}.{field}")) is not None:
            found[name] = given
    for field in ("followRedirects", "enableHttp2", "filterRunning"):
        fields.flag(endpoint.get(field), f"{where}.{field}")
    return found


def milliseconds(value: object, where: str) -> int:
    """A duration of Prometheus; 0 if it is not there."""
    given = fields.text(value, where, 100)
    match = _DURATION.fullmatch("" if given == "0" else given)
    if not match:
        raise refusal(where, given, "a duration such as 30s")
    return sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True))


def _times(endpoint: Fields, where: str, shortest: int, timeout: int) -> dict[str, Any]:
    """Interval and timeout. Prometheus does not start with a timeout that is longer than its interval."""
    given = milliseconds(endpoint.get("interval"), f"{where}.interval")
    if given > LONGEST_INTERVAL:
        raise refusal(
            f"{where}.interval", endpoint["interval"], "at most 2m, because TargetDown looks for samples of two minutes"
        )
    interval = max(given, shortest)
    longest = milliseconds(endpoint.get("scrapeTimeout"), f"{where}.scrapeTimeout")
    if longest > interval:
        raise refusal(f"{where}.scrapeTimeout", endpoint["scrapeTimeout"], f"at most the interval, {interval} ms")
    return {"scrape_interval": f"{interval}ms", "scrape_timeout": f"{longest or min(timeout, interval)}ms"}


def _parameters(value: object, where: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, values in fields.part(value, where).items():
        if len(found) == 50 or not re.fullmatch(_PARAMETER, name, re.ASCII):
            raise refusal(where, name, "at most 50 names of letters, digits and any of _.[]-")
        found[name] = [fields.text(one, f"{where}.{name}") for one in fields.items(values, f"{where}.{name}", 50)]
    return found


def _tls(given: Fields, where: str) -> dict[str, Any]:
    fields.only(given, where, TLS_KNOWN, TLS_REFUSED)
    found: dict[str, Any] = {}
    if fields.flag(given.get("insecureSkipVerify"), f"{where}.insecureSkipVerify"):
        found["insecure_skip_verify"] = True
    if name := fields.matching(given.get("serverName"), f"{where}.serverName", _HOST, "a host's name"):
        found["server_name"] = name
    low, high = (
        fields.one_of(given.get(field), f"{where}.{field}", _VERSIONS) for field in ("minVersion", "maxVersion")
    )
    if low and high and low > high:
        raise refusal(f"{where}.minVersion", low, "at most maxVersion")
    return found | ({"min_version": low} if low else {}) | ({"max_version": high} if high else {})


_LIMITS = {
    "sampleLimit": "sample_limit",
    "labelLimit": "label_limit",
    "labelNameLengthLimit": "label_name_length_limit",
    "labelValueLengthLimit": "label_value_length_limit",
}


def limits(spec: Fields, ours: Mapping[str, Any]) -> dict[str, Any]:
    """Limits of one scrape: the monitor's where they are lower than `ours`."""
    found: dict[str, Any] = {}
    for field, name in _LIMITS.items():
        if given := fields.number(spec.get(field), field):
            found[name] = min(given, ours.get(name, given))
    if targets := fields.number(spec.get("targetLimit"), "targetLimit"):
        found["target_limit"] = targets
    if size := _bytes(spec.get("bodySizeLimit"), "bodySizeLimit"):
        most = _bytes(ours["body_size_limit"], "body_size_limit") if "body_size_limit" in ours else size
        found["body_size_limit"] = f"{min(size, most)}B"
    protocols = fields.items(spec.get("scrapeProtocols"), "scrapeProtocols", len(_PROTOCOLS))
    read = [fields.one_of(one, "scrapeProtocols", _PROTOCOLS) for one in protocols]
    if not all(read) or len(set(read)) < len(read):
        raise SkippedError(f"scrapeProtocols: allowed: {', '.join(_PROTOCOLS)}, each once")
    if read:
        found["scrape_protocols"] = read
    if fallback := fields.one_of(spec.get("fallbackScrapeProtocol"), "fallbackScrapeProtocol", _PROTOCOLS):
        found["fallback_scrape_protocol"] = fallback
    return found


def _bytes(value: object, where: str) -> int:
    given = fields.text(value, where, 30)
    if given in ("", "0"):
        return 0
    match = _SIZE.fullmatch(given)
    if not match or not match[1]:
        raise refusal(where, given, "a size such as 10MB")
    return int(float(match[1]) * 1024 ** " KMGTPE".index(match[2] or " "))
