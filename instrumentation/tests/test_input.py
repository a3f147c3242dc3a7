"""What is wrong says so: settings before the application starts, headers in the log and never in an answer."""

import re
import subprocess
import sys
import uuid
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from observability_fastapi import InstrumentationError, instrument
from prometheus_client import CollectorRegistry, Gauge
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from instrumentation.tests.service import Service

SAFE = re.compile(rb"[A-Za-z0-9._:~|+/=@-]{1,128}")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"service": ""}, "service is ''; allowed: 1 to 128"),
        ({"service": "a b"}, "service is 'a b'"),
        ({"service": None}, "service is None"),
        ({"project_pattern": "("}, "project_pattern is '('; allowed: a regular expression"),
        ({"projects": ["a", "b c"]}, "projects has 'b c'; allowed: what"),
        ({"projects": "atlas"}, "projects is 'atlas'; allowed: a list"),
        ({"project_header": "X Project"}, "project_header is 'X Project'; allowed: the name of a header"),
        ({"max_projects": -1}, "max_projects is -1; allowed: 0 to 10000"),
        ({"max_projects": True}, "max_projects is True"),
        ({"exemplar_percentage": 101}, "exemplar_percentage is 101; allowed: 0 to 100"),
        ({"exemplar_percentage": float("nan")}, "exemplar_percentage is nan"),
        ({"exemplar_slower_than": "5s"}, "exemplar_slower_than is '5s'; allowed: 0 to 3600"),
        ({"buckets": []}, "buckets is []; allowed: rising seconds"),
        ({"buckets": [1, 1]}, "buckets is [1.0, 1.0]"),
        ({"buckets": [1, float("inf")]}, "without +Inf"),
        ({"buckets": ["x"]}, "buckets is ['x']"),
        ({"metrics_path": "metrics"}, "metrics_path is 'metrics'; allowed: a path such as"),
        ({"exclude": "/healthz"}, "exclude is '/healthz'; allowed: a list of paths"),
        ({"exclude": ["/items/{id}"]}, "exclude is '/items/{id}'"),
        ({"buckets": "123"}, "buckets is '123'; allowed: rising seconds"),
        ({"buckets": None}, "buckets is None"),
        ({"exclude": None}, "exclude is None; allowed: a list of paths"),
        ({"exclude": 5}, "exclude is 5"),
        ({"exclude_patterns": ["("]}, "exclude_patterns has '('; allowed: a regular expression"),
        ({"exclude_methods": ["options"]}, "exclude_methods has 'options'; allowed: methods in upper case"),
        ({"registry": None}, "registry is None; allowed: a CollectorRegistry"),
        ({"tracer": 5}, "tracer is 5; allowed: a Tracer"),
        ({"clock": 5}, "clock is 5; allowed: a function"),
        ({"on_request": 5}, "on_request is 5; allowed: a function"),
        ({"projects": ["other"]}, "projects has 'other'; allowed: all but none, other, invalid"),
        ({"projects": 5}, "projects is 5; allowed: a list of names"),
        ({"logs": "no"}, "logs is 'no'; allowed: True or False"),
        ({"log_level": "LOUD"}, "log_level is 'LOUD'; allowed: None, DEBUG"),
        ({"until": "end"}, "until is 'end'; allowed: last byte, first byte"),
        ({"prefix": "1a"}, "prefix is '1a'; allowed: letters"),
        ({"compatible_with": "x"}, "compatible_with is 'x'; allowed: None, prometheus-fastapi-instrumentator"),
        ({"labels": {"status": len}}, "labels has 'status'; allowed: letters"),
        ({"labels": {"tenant": "x"}}, "labels has 'x' for 'tenant'; allowed: a function"),
        ({"labels": ["tenant"]}, "labels is ['tenant']; allowed: names, each with a function"),
        ({"max_label_values": -1}, "max_label_values is -1; allowed: 0 to 10000"),
        ({"colour": "red"}, "there is no setting colour; allowed: buckets, clock"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(options: dict[str, Any], named: str) -> None:
    with pytest.raises(InstrumentationError, match=re.escape(named)):
        Service(**options)


def test_all_problems_are_named_at_once_and_nothing_has_changed() -> None:
    app, registry = FastAPI(), CollectorRegistry()
    before = app.build_middleware_stack
    with pytest.raises(InstrumentationError) as caught:
        instrument(app, "", registry=registry, buckets=(), exclude=["x"])
    assert all(name in str(caught.value) for name in ("service is", "buckets is", "exclude is"))
    assert app.build_middleware_stack == before
    assert list(registry.collect()) == []
    instrument(app, "shop", registry=registry, logs=False)


def test_an_application_is_instrumented_once() -> None:
    service = Service(service="shop")
    with pytest.raises(InstrumentationError, match="instrumented already, as 'shop'"):
        Service(service.app, service="again")


def test_an_application_that_has_started_is_refused() -> None:
    app = FastAPI()
    app.middleware_stack = app.build_middleware_stack()
    with pytest.raises(InstrumentationError, match="has started"):
        Service(app)


def test_what_is_no_application_is_refused() -> None:
    app: Any = object()
    with pytest.raises(InstrumentationError, match="app is <object"):
        instrument(app, "shop")


def test_applications_share_a_registry_only_with_the_same_buckets() -> None:
    registry = CollectorRegistry()
    one, two = Service(registry=registry, service="one"), Service(registry=registry, service="two")
    one.ask("/x")
    two.ask("/x")
    assert {line["service"] for line in one.samples("request_count")} == {"one", "two"}
    with pytest.raises(InstrumentationError, match="buckets is"):
        Service(registry=registry, buckets=[1])


def test_a_registry_with_other_metrics_of_these_names_is_refused() -> None:
    registry = CollectorRegistry()
    Gauge("request_count", "Of somebody else.", registry=registry)
    with pytest.raises(InstrumentationError, match="request_count"):
        Service(registry=registry)


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_an_address_of_no_collector_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "agent:4318")
    with pytest.raises(InstrumentationError, match=f"{name} is 'agent:4318'; allowed: http://"):
        Service()


GIVEN = ["a", "x" * 128, "0af76519-16cd-43dd-8448-eb211c80319c", "Root=1-67891233-abcdef", "|a.b_c~1:2/3+4@5"]


@pytest.mark.parametrize("sent", GIVEN)
def test_a_harmless_id_is_forwarded(sent: str) -> None:
    assert Service().ask("/x", headers={"X-Request-Id": sent}).headers("x-request-id") == [sent]


@pytest.mark.parametrize(
    "sent",
    [b"", b"a b", b"a\r\nSet-Cookie: a=b", b"a\nb", b"a\x00", b"\x7f", b"x" * 129, b"x" * 10_000, b'a"b', "é".encode()],
    ids=range(10),
)
def test_an_id_that_is_not_harmless_becomes_a_uuid4_and_a_warning(sent: bytes) -> None:
    with capture_logs() as lines:
        (made,) = Service().ask("/x", headers={"X-Request-Id": sent}).headers("x-request-id")
    assert uuid.UUID(made).version == 4
    assert str(uuid.UUID(made)) == made
    (line,) = lines
    assert (line["header"], line["instead"], line["log_level"]) == ("X-Request-Id", made, "warning")
    assert "1 to 128 of" in line["allowed"]
    assert len(line["value"]) < 100


@given(sent=st.binary(max_size=200))
def test_whatever_is_sent_what_comes_back_is_harmless(sent: bytes) -> None:
    (came,) = Service().ask("/x", headers={"X-Request-Id": sent}).headers("x-request-id")
    assert SAFE.fullmatch(came.encode("latin-1"))
    assert came.encode("latin-1") == sent or uuid.UUID(came).version == 4


def test_the_answer_to_an_unhandled_exception_has_the_id() -> None:
    app = FastAPI()

    def broken() -> None:
        raise ValueError

    app.add_api_route("/broken", broken)
    assert Service(app).ask("/broken", headers={"X-Request-Id": "abc"}).headers("x-request-id") == ["abc"]


def test_of_several_ids_the_last_one_counts() -> None:
    service = Service()
    assert service.ask("/x", headers={"X-Request-Id": ["far", "near"]}).headers("x-request-id") == ["near"]
    (made,) = service.ask("/x", headers={"X-Request-Id": ["far", "not good"]}).headers("x-request-id")
    assert uuid.UUID(made).version == 4


def test_an_id_that_the_application_sets_in_upper_case_does_not_stand_beside_ours() -> None:
    async def own(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Request-Id", b"own")]})
        await send({"type": "http.response.body", "body": b""})

    app = FastAPI()
    app.mount("/own", own)
    assert Service(app).ask("/own/x", headers={"X-Request-Id": "given"}).headers("x-request-id") == ["given"]


@given(project=st.binary(max_size=100), parent=st.binary(max_size=80), state=st.binary(max_size=80))
def test_whatever_stands_in_the_other_headers_the_request_is_answered(
    project: bytes, parent: bytes, state: bytes
) -> None:
    service = Service(max_projects=0)
    for traceparent in (parent, b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"):
        sent = {"X-Project-Id": project, "traceparent": traceparent, "tracestate": state}
        answer = service.ask("/x", headers={**sent})
        assert (answer.status, answer.error) == (404, None)
    assert {one["project_id"] for one in service.samples("request_count")} <= {"none", "other", "invalid"}


def test_an_answer_has_one_id_whatever_the_application_sets_and_however_often_it_is_sent() -> None:
    app = FastAPI()
    app.mount("/always", PlainTextResponse("same object", headers={"X-Request-Id": "own"}))
    service = Service(app)
    for sent in ("one", "two"):
        assert service.ask("/always/x", headers={"X-Request-Id": sent}).headers("x-request-id") == [sent]


def test_an_invalid_project_is_counted_as_such_and_warned_of_once() -> None:
    service = Service(project_pattern="[a-z]{3}")
    with capture_logs() as lines:
        for sent in ("abc", "a\nb", "abcd", "x" * 10_000, ""):
            service.ask("/x", headers={"X-Project-Id": sent})
    counts = {one["project_id"]: one["value"] for one in service.samples("request_count")}
    assert counts == {"abc": 1, "invalid": 3, "none": 1}
    (line,) = lines
    assert (line["header"], line["instead"]) == ("X-Project-Id", "invalid")
    assert line["allowed"] == "[a-z]{3}, and none of none, other, invalid"


def test_with_named_projects_no_caller_takes_a_place() -> None:
    service = Service(projects={"atlas"}, project_header="X-Team")
    for sent in ("junk", "atlas"):
        service.ask("/x", headers={"X-Team": sent})
    assert {one["project_id"] for one in service.samples("request_count")} == {"other", "atlas"}


def test_importing_the_package_loads_nothing_that_only_sending_needs() -> None:
    code = "import sys, observability_fastapi; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "opentelemetry.sdk" not in done.stdout
