"""`X-Request-Id`: a valid id is forwarded, any other is replaced, and none can inject a header."""

import re
import secrets

import pytest

from tests.observability.conftest import Api

pytestmark = pytest.mark.e2e
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def answered(api: Api, *ids: str) -> str:
    """The id in the answer to a request that has these ids."""
    answer = api.get(api.path, *(("X-Request-Id", one) for one in ids))
    (found,) = answer.headers.get_list("x-request-id")
    return found


def test_a_valid_id_is_forwarded(api: Api) -> None:
    name = f"test.{secrets.token_hex(8)}"
    assert answered(api, name) == name


def test_of_several_ids_the_last_one_counts(api: Api) -> None:
    assert answered(api, "far", "near") == "near"


def test_requests_without_an_id_get_different_ids(api: Api) -> None:
    ids = {answered(api) for _ in range(5)}
    assert len(ids) == 5
    assert all(UUID4.fullmatch(one) for one in ids)


@pytest.mark.parametrize("bad", ["", "two words", "x" * 129, "x" * 10_240, "tab\there", "é"])
def test_an_invalid_id_is_replaced(api: Api, bad: str) -> None:
    answer = api.get(api.path, ("X-Request-Id", bad))
    # A server may also refuse such a header itself, before the application sees it.
    if answer.status_code not in (400, 431):
        assert UUID4.fullmatch(answer.headers["x-request-id"])


def test_an_answer_404_has_an_id_too(api: Api) -> None:
    answer = api.get(f"/nothing-{secrets.token_hex(4)}", ("X-Request-Id", "lost-1"))
    assert (answer.status_code, answer.headers["x-request-id"]) == (404, "lost-1")
