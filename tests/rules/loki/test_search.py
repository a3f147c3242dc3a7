"""What people type into a dashboard's search field finds the lines that contain it, asked of a real Loki."""

import json
import time

import pytest

from dashboards.builder.queries import containing
from ops.queries.grafana_interpolation import Chosen, replaced
from tests.mock_engine import ROOT
from tools.rule_tests.loki_server import LokiServer

STREAM = {"namespace": "shop", "app": "till"}
TYPED = ('"status":500', r"C:\temp", r"\n", "it's", "a{b}", "$1 ${x}", "%d", "<x>&", "[a-z]+", "über")
RENDERED = sorted((ROOT / "dashboards" / "rendered").glob("*.json"))


@pytest.mark.parametrize("typed", TYPED)
def test_the_text_is_found_as_it_was_typed(server: LokiServer, typed: str) -> None:
    tenant = f"search-{TYPED.index(typed)}"
    now = time.time_ns()
    server.push(tenant, STREAM, [(now - 10**9, f"before {typed} after", {}), (now, "another line", {})])
    query = replaced(containing('{namespace="shop"}', "text"), {"text": Chosen(values=(typed,))}, {}, "loki")
    (series,) = server.query(tenant, f"count_over_time({query}[1m])", time.time() + 1)
    assert series["value"][1] == "1"


def test_every_search_field_is_used_that_way() -> None:
    fields = 0
    for file in RENDERED:
        text = file.read_text()
        for variable in json.loads(text)["templating"]["list"]:
            if variable["type"] != "textbox":
                continue
            fields += 1
            name = variable["name"]
            uses = text.count(f"${name}") + text.count(f"${{{name}")
            assert uses == text.count(f"|= `${{{name}:raw}}`") > 0, (file.name, name)
    assert fields >= 5
