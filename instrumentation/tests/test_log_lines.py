"""A log call never fails, every exception is written once, and what the service has set up for its logs stays."""

import asyncio
import contextlib
import io
import json
import logging
import sys
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import structlog
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from observability_fastapi import logs
from observability_fastapi.encoding import encode

from instrumentation.tests.logging_of import lines, written
from instrumentation.tests.service import Service


class Unspeakable:
    def __repr__(self) -> str:
        raise ValueError("no")

    __str__ = __repr__


class Colour(Enum):
    RED = "red"


def circle() -> dict[str, Any]:
    found: dict[str, Any] = {"name": "a"}
    found["self"] = found
    return found


def strict(text: str) -> Any:
    """JSON as the standard has it: without NaN."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


VALUES: list[tuple[Any, Any]] = [
    ({(1, 2): "a"}, {"(1, 2)": "a"}),
    (circle(), {"name": "a", "self": "<circular>"}),
    (Unspeakable(), "<Unspeakable whose text fails: ValueError>"),
    ([Unspeakable(), 1], ["<Unspeakable whose text fails: ValueError>", 1]),
    (float("nan"), "nan"),
    ([float("inf"), -float("inf")], ["inf", "-inf"]),
    (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (datetime(2026, 1, 31, 9, 30, tzinfo=UTC), "2026-01-31T09:30:00+00:00"),
    (date(2026, 1, 31), "2026-01-31"),
    (timedelta(seconds=5), "0:00:05"),
    (Decimal("1.5"), "1.5"),
    (PurePosixPath("/a"), "/a"),
    (Colour.RED, "red"),
    ({1, 2}, [1, 2]),
    (b"x", "b'x'"),
    ("\ud800", "\ud800"),
    ({"a": {"b": float("nan")}}, {"a": {"b": "nan"}}),
]


@pytest.mark.parametrize(("value", "shown"), VALUES, ids=range(len(VALUES)))
def test_any_value_is_a_line_of_json(value: Any, shown: Any) -> None:
    with written() as stream:
        structlog.get_logger().info("m", d=value)
        logging.getLogger("x").warning("m", extra={"d": value})
    assert [strict(line)["d"] for line in stream.getvalue().splitlines()] == [shown, shown]


def test_a_number_that_python_refuses_to_print_is_written_without_it() -> None:
    assert "int" in strict(encode({"n": 10**5000}))["n"]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.uuids()
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3) | st.tuples(inner),
    max_leaves=8,
)


@settings(max_examples=60)
@given(fields=st.dictionaries(st.text(max_size=12), ANYTHING, max_size=4), event=ANYTHING, arguments=st.lists(ANYTHING))
def test_no_log_call_fails_whatever_it_gets(fields: dict[str, Any], event: Any, arguments: list[Any]) -> None:
    with written() as stream:
        structlog.get_logger().info(event, *arguments, **fields)
        # Past pytest's own handler, which raises.
        alone = logging.Logger("x")
        alone.handlers = logging.getLogger().handlers[-1:]
        alone.warning(event, *arguments)
    assert len([strict(line) for line in stream.getvalue().splitlines()]) == 2


@pytest.mark.parametrize(
    ("args", "fields"),
    [
        (("%s and %s", 1), {}),
        (("%d", "x"), {}),
        ((), {}),
        (("m",), {"event": "other"}),
        (("m",), {"self": 1}),
        (("m",), {"method_name": 1}),
        (("m",), {"exc_info": (1, 2)}),
        (("m",), {"stack_info": True}),
    ],
)
def test_a_call_that_does_not_fit_is_written_as_far_as_possible(args: Any, fields: Any) -> None:
    async def later() -> None:
        await structlog.get_logger().ainfo(*args, **fields)

    with written() as stream:
        structlog.get_logger().info(*args, **fields)
        asyncio.run(later())
    one, other = lines(stream)
    assert one["level"] == other["level"] == "INFO"
    assert one["message"] == (args[0] if args else "")


def test_a_handler_s_own_line_answers_no_500() -> None:
    app = FastAPI()

    @app.get("/says")
    async def says() -> str:
        structlog.get_logger().info("%s %s", "one", d={(1, 2): Unspeakable()}, event=circle())
        return "fine"

    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        assert Service(app, logs=True).ask("/says").status == 200
    assert strict(stdout.getvalue().splitlines()[0])["message"] == "%s %s"


def test_the_standard_library_keeps_its_level_its_handlers_and_extra(tmp_path: Path) -> None:
    root = logging.getLogger()
    file = logging.FileHandler(tmp_path / "log.txt")
    terminal = logging.StreamHandler(sys.stderr)
    root.handlers = [*root.handlers, file, terminal]
    root.setLevel(logging.DEBUG)
    with written() as stream:
        logging.getLogger("x").debug("m", extra={"order_id": 5})
        logs.configure("shop", stream=stream)
        logging.getLogger("x").info("again")
        kept = list(root.handlers)
    file.close()
    first, second = lines(stream)
    assert (first["message"], first["order_id"], first["level"]) == ("m", 5, "DEBUG")
    assert second["message"] == "again"
    assert (tmp_path / "log.txt").read_text().splitlines() == ["m", "again"]
    assert file in kept
    assert terminal not in kept, "its lines would be on the terminal twice"


def test_info_is_written_without_any_setting_and_debug_with_one() -> None:
    logging.getLogger().setLevel(logging.WARNING)
    with written() as stream:
        for logger in (logging.getLogger("x"), structlog.get_logger()):
            logger.debug("no")
            logger.info("yes")
    assert [line["message"] for line in lines(stream)] == ["yes", "yes"]
    with written(level=logging.DEBUG) as stream:
        for logger in (logging.getLogger("x"), structlog.get_logger()):
            logger.debug("yes")
    assert [line["level"] for line in lines(stream)] == ["DEBUG", "DEBUG"]


def test_pytest_sees_the_lines_of_an_application_that_a_test_makes(caplog: pytest.LogCaptureFixture) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        Service(logs=True)
        logging.getLogger("orders").info("seen")
    assert [record.message for record in caplog.records if record.name == "orders"] == ["seen"]


def test_no_other_library_is_silenced() -> None:
    with written() as stream:
        for name in ("urllib3.connectionpool", "httpx", "opentelemetry.sdk"):
            logging.getLogger(name).error("down")
    assert len(lines(stream)) == 3


def test_the_common_fields_lose_no_field_of_the_same_name() -> None:
    with written() as stream:
        structlog.get_logger().info("a", message="b", level="c", timestamp=5, stack_info=True)
    (line,) = lines(stream)
    assert (line["message"], line["message_"], line["level"], line["level_"]) == ("a", "b", "INFO", "c")
    assert line["timestamp_"] == 5
    assert line["timestamp"].startswith("20")
    assert "test_log_lines.py" in line["stack"]


def test_a_line_says_which_path_and_which_client() -> None:
    with written() as stream:
        service = Service(log_requests=True)
        service.ask("/nothing/5")
        service.ask("/" + "x" * 5000, client=None)
    first, second = lines(stream)
    assert (first["operation"], first["path"], first["client"]) == ("GET unmatched", "/nothing/5", "10.0.0.1")
    assert len(second["path"]) < 300
    assert "client" not in second
