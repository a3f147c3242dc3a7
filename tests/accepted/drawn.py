"""Draws settings from their typed models, mostly from the edges of what the models allow."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from hypothesis import assume
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo

from alerting import loader
from alerting.durations import Duration, PositiveDuration
from settings import images, parsing, pod_settings, stack
from settings.eks.values import Cidr, EksValues
from settings.pod_settings import PodSettings
from settings.quantities import Quantity
from settings.types import BackendUrl, HttpUrl, MetricNames, OptionalBackendUrl, OptionalHttpsUrl, OptionalHttpUrl
from settings.values import Values
from tests.eks.test_platform import CREATE, KEY
from tests.mock_engine import SECRETS, stack_config

BASES = ("local", "staging")
"""The stacks whose settings are changed: all that needs no account, and all of EKS."""
# Where the program finds the cluster and the account, and what it may delete there.
_LEFT_OUT = {
    *("kubeconfig", "kube_context", "cloud", "protect"),
    *("offline_preview", "aws_account_id", "aws_profile"),
}
# Settings of EKS that count only together.
_THREE = '["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002", "subnet-0a1b2c3d4e5f60003"]'
_TOGETHER: dict[str, tuple[dict[str, str], ...]] = {
    "local": ({},),
    "staging": (
        {},
        CREATE,
        {"opensearchDomain": "true", "jaegerStorageBackend": "opensearch", "clusterSubnetIds": _THREE},
        {"kmsKeyArn": KEY, "managedPrometheus": "true", "eksAutoMode": "true"},
        {"ingress": "none", "certificateArn": "", "domain": "", "grafanaAdminGroup": "", "loadBalancerSubnetIds": "[]"},
    ),
}
_LARGE = (10**4, 10**6, 10**9, 10**12, 10**18)
_COUNTS = st.integers(0, 400) | st.sampled_from(_LARGE)
_DURATIONS = st.one_of(
    st.builds("{}{}".format, _COUNTS, st.sampled_from(("ms", "s", "m", "h", "d", "w", "y"))),
    st.builds("{}w{}d".format, st.integers(0, 9), st.integers(0, 400)),
    st.builds("{}h{}m{}s{}ms".format, *(st.integers(0, 2000),) * 4),
    st.sampled_from(("0", "007s", "292y", "293y", "106751d", "106752d")),
)
_QUANTITIES = st.builds(
    "{}{}{}".format,
    st.integers(1, 5000) | st.sampled_from(_LARGE),
    st.sampled_from(("", "", ".5", ".000000001", ".1234567890123")),
    st.sampled_from(("", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi")),
)
_HOSTS = ("example.com", "a-b.example.svc", "127.0.0.1", "[2001:db8::1]", "EXAMPLE.com", "ex_ample.com", "exämple.com")
_ODD_HOSTS = ('"', "a..b", "-a.com", "a%zz", "a%41.com", "[fe80::1%eth0]", "a,b", "$(POD_IP)", "${POD_IP}", "{{", "'")
_PATHS = ("", "/", "/a/b", "/%41", "/~a'(b)", "/ü")
_ODD_PATHS = ("/%zz", "/{{", "/$x", "/${POD_IP}", "/$(POD_NAME)", '/"', "/\x7f", "/a\\b")
_URLS = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(("http", "https")),
    st.sampled_from(_HOSTS) | st.sampled_from(_ODD_HOSTS),
    st.sampled_from(("", ":", ":1", ":65535", ":080")),
    st.sampled_from(_PATHS) | st.sampled_from(_ODD_PATHS),
)
_ADDRESSES = (
    "10.0.0.0",
    "10.1.2.3",
    "2001:db8::",
    "::",
    "::ffff:10.0.0.0",
    "::ffff:a00:0",
    "fe80::%eth0",
    "FD00::",
)
_RANGES = st.builds(
    "{}/{}".format,
    st.sampled_from(_ADDRESSES),
    st.sampled_from(("8", "0", "32", "08", "128", "104", "255.0.0.0", "0.255.255.255")),
)
_BY_CHECK: dict[AfterValidator, st.SearchStrategy[str]] = {
    check: strategy
    for annotated, strategy in {
        Duration: _DURATIONS,
        PositiveDuration: _DURATIONS,
        Quantity: _QUANTITIES,
        HttpUrl: _URLS,
        OptionalHttpUrl: _URLS,
        OptionalHttpsUrl: _URLS,
        Cidr: _RANGES,
        BackendUrl: _URLS,
        OptionalBackendUrl: _URLS,
        MetricNames: st.text("ab_:.*+?|()[]-", max_size=8),
    }.items()
    for check in get_args(annotated)[1:]
}
_TEXTS = st.sampled_from(
    (
        "",
        "text",
        "Text_1.a-b",
        "example.com/pool",
        "a b",
        "a..b",
        "-a",
        "x" * 63,
        "x" * 64,
        "ü",
        "$(X)",
        "true",
        "1",
        "/",
    )
)
_PARTS, _REGISTRIES = st.sampled_from(pod_settings.PARTS), st.sampled_from((images.ALL, *images.REGISTRIES))
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {bool: st.booleans(), str: _TEXTS}
_IMAGES = st.from_regex(r"[\w./:-]{1,20}(:[\w.-]+|@sha256:[0-9a-f]{64})", fullmatch=True)
_PODS = st.integers(0, 3) | st.sampled_from((100, 2**31 - 1, 2**31, *_LARGE))
_BUDGETS = st.fixed_dictionaries({}, optional={"minAvailable": _PODS}) | st.fixed_dictionaries(
    {}, optional={"maxUnavailable": _PODS, "enabled": st.just(True)}
)
_NUMBERS = (
    st.integers(0, 10**6)
    | st.floats(0, allow_nan=False, allow_infinity=False)
    | st.sampled_from((5e-324, 1e-7, 0.1 + 0.2, 1e16, 1e22, 1.7e308, 2**63, 10**400))
)


def _overrides() -> st.SearchStrategy[dict[str, Any]]:
    """Changes to a few alerts."""
    rule_set = loader.load()

    def of_one(alert: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
        thresholds = dict.fromkeys(rule_set.thresholds.get(alert, ()), _NUMBERS)
        changes = {
            "for": _DURATIONS | st.sampled_from(("0s", "1ms", "90s", "1h30m", "2d")),
            "keepFiringFor": _DURATIONS | st.sampled_from(("0s", "1ms", "15m", "1d")),
            "severity": st.sampled_from(("info", "warning", "critical")),
            "page": st.booleans(),
            "enabled": st.booleans(),
            "thresholds": st.fixed_dictionaries({}, optional=thresholds),
        }
        return st.tuples(st.just(alert), st.fixed_dictionaries({}, optional=changes))

    return st.lists(st.sampled_from(sorted(rule_set.rules())).flatmap(of_one), max_size=8).map(dict)


def _budgets() -> st.SearchStrategy[dict[str, Any]]:
    names = [name for system in loader.load().systems.values() for name in system.disruption_budgets]
    return st.dictionaries(st.sampled_from(sorted(names)), _BUDGETS | st.just({"enabled": False}))


_BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "loki_retention": _DURATIONS,
    "simulator_image": _IMAGES,
    "alert_overrides": st.deferred(_overrides),
    "disruption_budgets": st.deferred(_budgets),
    "eks_addons": st.dictionaries(
        st.sampled_from(("kube-state-metrics", "prometheus-node-exporter", "metrics-server", "cert-manager")),
        st.sampled_from(("managed", "existing", "off", "v0.8.1-eksbuild.10")),
    ),
    "extra_tags": st.dictionaries(_TEXTS, _TEXTS, max_size=3),
}


def fields(base: str) -> dict[str, FieldInfo]:
    """The settings that are drawn for a stack, by key."""
    left_out = _LEFT_OUT | (set(EksValues.model_fields) if base == "local" else set[str]())
    return {str(field.alias): field for name, field in Values.model_fields.items() if name not in left_out}


def value(name: str, field: FieldInfo) -> st.SearchStrategy[Any]:
    """Values of one setting, of which many but not all are allowed."""
    return _BY_NAME[name] if name in _BY_NAME else _of(field.annotation, field.metadata)


def _of(annotation: Any, metadata: Iterable[Any]) -> st.SearchStrategy[Any]:
    constraints = list(_flat(metadata))
    for check in constraints:
        if isinstance(check, AfterValidator) and check in _BY_CHECK:
            return _BY_CHECK[check]
        if pattern := getattr(check, "pattern", None):
            return st.from_regex(pattern, fullmatch=True)
    if get_args(annotation):
        return _of_parts(get_origin(annotation), get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        members = {str(one.alias): _of(one.annotation, one.metadata) for one in annotation.model_fields.values()}
        return st.fixed_dictionaries({}, optional=members)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    least, most = (next(getattr(one, name) for one in constraints if hasattr(one, name)) for name in ("ge", "le"))
    return st.integers(least, most) | (st.floats(least, most) if annotation is float else st.nothing())


def _of_parts(origin: Any, parts: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """Values of a type that is made of others. Of a value or None, the value: None is what is left out."""
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is dict:
        keys = _PARTS if parts[1] is PodSettings else _REGISTRIES if get_origin(parts[1]) else _TEXTS
        return st.dictionaries(keys, _of(parts[1], ()), max_size=3)
    if origin in (tuple, list):
        return st.lists(_of(parts[0], ()), max_size=3)
    return _of(parts[0], parts[1:] if origin is Annotated else ())


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    """The constraints; pydantic keeps some in a field of their own."""
    for one in metadata:
        yield from _flat(one.metadata) if isinstance(one, FieldInfo) else (one,)


@st.composite
def changes(draw: st.DrawFn, base: str) -> dict[str, str]:
    """Changes to a stack's settings that this program accepts, as the engine passes them."""
    # Otherwise the first stack of a run is the simplest of all, and a short run has no other.
    assume(draw(st.integers(0, 2**32)))
    names = draw(st.lists(st.sampled_from(sorted(fields(base))), min_size=10, max_size=30, unique=True))
    drawn: dict[str, str] = {}
    for key in names:
        (name,) = (name for name, field in Values.model_fields.items() if field.alias == key)
        found = draw(value(name, fields(base)[key]))
        drawn[key] = found if isinstance(found, str) else json.dumps(found)
    return accepted(base, drawn | draw(st.sampled_from(_TOGETHER[base])))


def accepted(base: str, drawn: Mapping[str, str]) -> dict[str, str]:
    """Those of the changes that this program accepts together."""
    secrets = SECRETS if base != "local" else {}
    raw, left = stack_config(base) | secrets, dict(drawn)
    while left and (problems := _problems(raw | left, list(secrets))):
        said = "\n".join(problems)
        named = {key for key in left if re.search(rf"\b{key}\b", said)}
        left = {key: text for key, text in left.items() if key not in (named or left)} | _members(left, named, said)
    return left


def _members(left: Mapping[str, str], named: Iterable[str], said: str) -> dict[str, str]:
    """Objects of the stack's rules without the members that are named: of many, one may be wrong."""
    found: dict[str, str] = {}
    for key in {"alertOverrides", "disruptionBudgets"}.intersection(named):
        members = json.loads(left[key])
        fine = {name: value for name, value in members.items() if f"{key}.{name}" not in said}
        if fine and len(fine) < len(members):
            found[key] = json.dumps(fine)
    return found


def _problems(raw: dict[str, str], encrypted: list[str]) -> list[str]:
    """Cheap checks first: the rest reads every rule."""
    _, problems = parsing.values(parsing.typed(raw), ())
    if problems:
        return problems
    try:
        stack.parse(raw, encrypted)
    except stack.SettingsError as error:
        return list(error.problems)
    return []
