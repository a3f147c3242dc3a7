"""Draws settings from their typed models, mostly from the edges of what the models allow."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo

from alerting.durations import Duration, PositiveDuration
from settings import images, parsing, pod_settings, stack
from settings.eks.values import EksValues
from settings.pod_settings import PodSettings
from settings.quantities import Quantity
from settings.types import BackendUrl, HttpUrl, MetricNames, OptionalBackendUrl, OptionalHttpUrl
from settings.values import Values
from tests.mock_engine import stack_config

BASE = "local"
"""The stack whose settings are changed: it runs all that needs no account."""
_LEFT_OUT = {
    *EksValues.model_fields,
    # Where the program finds the cluster, and what it may delete there.
    *("kubeconfig", "kube_context", "cloud", "protect"),
    # Drawn by tests of the loaders.
    *("disruption_budgets", "alert_overrides"),
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
_BY_CHECK: dict[AfterValidator, st.SearchStrategy[str]] = {
    check: strategy
    for annotated, strategy in {
        Duration: _DURATIONS,
        PositiveDuration: _DURATIONS,
        Quantity: _QUANTITIES,
        HttpUrl: _URLS,
        OptionalHttpUrl: _URLS,
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
_BY_NAME: dict[str, st.SearchStrategy[Any]] = {"loki_retention": _DURATIONS, "simulator_image": _IMAGES}


def fields() -> dict[str, FieldInfo]:
    """The settings that are drawn, by key."""
    return {str(field.alias): field for name, field in Values.model_fields.items() if name not in _LEFT_OUT}


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
def changes(draw: st.DrawFn) -> dict[str, str]:
    """Changes to the base stack's settings that this program accepts, as the engine passes them."""
    names = draw(st.lists(st.sampled_from(sorted(fields())), min_size=10, max_size=30, unique=True))
    drawn: dict[str, str] = {}
    for key in names:
        (name,) = (name for name, field in Values.model_fields.items() if field.alias == key)
        found = draw(value(name, fields()[key]))
        drawn[key] = found if isinstance(found, str) else json.dumps(found)
    return accepted(drawn)


def accepted(drawn: Mapping[str, str]) -> dict[str, str]:
    """Those of the changes that this program accepts together."""
    base, left = stack_config(BASE), dict(drawn)
    while left and (problems := _problems(base | left)):
        named = {key for key in left if any(re.search(rf"\b{key}\b", line) for line in problems)}
        left = {key: text for key, text in left.items() if key not in (named or left)}
    return left


def _problems(raw: dict[str, str]) -> list[str]:
    """Cheap checks first: the rest reads every rule."""
    _, problems = parsing.values(parsing.typed(raw), ())
    if problems:
        return problems
    try:
        stack.parse(raw, [])
    except stack.SettingsError as error:
        return list(error.problems)
    return []
