"""Jaeger and the gateways have users of their own in OpenSearch, who may use their own indices only.

No package registry has OpenSearch's security plugin. `Security` answers as its documentation says (pages "Internal user
APIs" and "Role APIs"); tests/backends/test_opensearch_spans.py runs Jaeger with the role's rights at a real node.
"""

import base64
import json
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pulumi
import pytest

from components.assembly import opensearch
from components.assembly.backends import without_cloud
from components.opensearch.user import own_password
from settings import stack as settings
from settings.eks.opensearch import password_problem
from tests.log_index.conftest import Apply
from tests.mock_engine import SECRETS, Recorded, stack_config
from tools.http_server import Handler, serving

Program = Callable[..., Recorded]
USER = "observability-jaeger"
ROLE = {
    "cluster_permissions": ["cluster:monitor/main"],
    "index_permissions": [{"index_patterns": [f"{USER}-*"], "allowed_actions": ["indices:data/read/search*"]}],
}
GIVEN = {"NEW_USER": USER, "NEW_PASSWORD": "own-password", "ROLE": json.dumps(ROLE), "OPENSEARCH_USERNAME": "setup"}
MASTER = "Secret-of-the-setup-1"


class Security:
    """Users and roles of an OpenSearch, and what it answers to whoever may not ask."""

    def __init__(self, refusal: int = 0, **users: dict[str, Any]) -> None:
        self.users, self.roles, self.refusal = users, dict[str, Any](), refusal

    def respond(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if path == "/":
            return 200, {}
        if self.refusal:
            return self.refusal, {"status": "FORBIDDEN", "message": "No permission to access REST API"}
        found = re.fullmatch(r"/_plugins/_security/api/(internalusers|roles)/([\w-]+)", path)
        assert found, path
        kept = self.users if found[1] == "internalusers" else self.roles
        if method == "GET":
            name = found[2]
            return (200, {name: kept[name]}) if name in kept else (404, {"status": "NOT_FOUND", "message": "not found"})
        assert method == "PUT"
        unknown = set(body.get("opendistro_security_roles", ())) - self.roles.keys()
        if unknown:
            return 404, {"status": "NOT_FOUND", "message": f"role {unknown} not found"}
        kept[found[2]] = body
        return 201, {"status": "CREATED"}

    @contextmanager
    def serve(self) -> Generator[str]:
        security = self

        class Answers(Handler):
            def respond(self) -> None:
                body = self.body()
                status, answer = security.respond(self.command, self.path, json.loads(body) if body else None)
                self.answer(status, json.dumps(answer).encode())

        with serving(Answers) as url:
            yield url


def test_a_new_user_has_its_role_alone_and_a_second_run_its_new_password(apply: Apply) -> None:
    security = Security()
    with security.serve() as url:
        for password in ("own-password", "rotated"):
            done = apply(url, "users", **GIVEN | {"NEW_PASSWORD": password})
            assert (done.returncode, done.stdout, done.stderr) == (0, f"user {USER} is in place\n", "")
            user = security.users[USER]
            assert (user["password"], user["opendistro_security_roles"]) == (password, [USER])
    assert security.roles == {USER: ROLE}


@pytest.mark.parametrize(
    ("security", "words"),
    [
        (Security(**{USER: {"attributes": {"team": "theirs"}}}), f"user {USER} is there already, and not made by"),
        (Security(refusal=403), "opensearchUsername a role that may use its API"),
        (Security(refusal=400), "give OpenSearch the plugin opensearch-security"),
    ],
)
def test_what_is_in_the_way_is_said_and_nothing_changes(apply: Apply, security: Security, words: str) -> None:
    before = dict(security.users)
    with security.serve() as url:
        done = apply(url, "users", **GIVEN)
    assert done.returncode == 1
    assert words in done.stderr
    assert "set opensearchUsers to false" in done.stderr
    assert "own-password" not in done.stderr
    assert (security.users, security.roles) == (before, {})


def logins(recorded: Recorded) -> dict[str, tuple[str, str]]:
    """Program -> its user and password in OpenSearch."""
    jaeger = recorded.one("Secret", "jaeger-opensearch").inputs["stringData"]
    header = recorded.one("Secret", "log-index").inputs["stringData"]["authorization"]
    user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    return {"jaeger": (jaeger["username"], jaeger["password"]), "gateways": (user, password)}


@pytest.fixture
def production(program: Program) -> Recorded:
    return program("production", logIndex="true", opensearchPassword=MASTER)


def test_each_program_has_a_login_of_its_own_for_its_own_indices(production: Recorded) -> None:
    found = logins(production)
    assert {program: user for program, (user, _) in found.items()} == {
        "jaeger": USER,
        "gateways": "observability-logs",
    }
    passwords = {MASTER, *(password for _, password in found.values())}
    assert len(passwords) == 3
    for job, (user, password) in {"jaeger-user": found["jaeger"], "log-index-user": found["gateways"]}.items():
        (container,) = production.one("Job", job).inputs["spec"]["template"]["spec"]["containers"]
        variables = {one["name"]: one.get("value") for one in container["env"]}
        (indices,) = json.loads(variables["ROLE"])["index_permissions"]
        assert (variables["NEW_USER"], indices["index_patterns"]) == (user, [f"{user}-*"])
        assert production.one("Secret", job).inputs["stringData"]["new-password"] == password
    assert production.one("Job", "jaeger-user").name in production.one("Deployment", "jaeger").dependencies


def test_only_jobs_have_the_login_that_may_do_everything(production: Recorded) -> None:
    holders = {one.object_name for one in production.of("Secret") if MASTER in str(one.inputs)}
    assert holders == {"log-index", "jaeger-user", "log-index-user", "index-retention"}
    for one in production.pods:
        assert one.pod
        reads = [
            (variable["valueFrom"]["secretKeyRef"]["name"], variable["valueFrom"]["secretKeyRef"]["key"])
            for container in one.pod["spec"]["containers"]
            for variable in container.get("env", [])
            if "secretKeyRef" in variable.get("valueFrom", {})
        ]
        if one.kind != "Job":
            assert not [name for name, key in reads if name in holders and key in ("username", "password")]


def test_no_role_names_other_indices_or_rights_over_the_cluster(production: Recorded) -> None:
    for job in ("jaeger-user", "log-index-user"):
        (container,) = production.one("Job", job).inputs["spec"]["template"]["spec"]["containers"]
        (role,) = [json.loads(one["value"]) for one in container["env"] if one["name"] == "ROLE"]
        everything = [*role["cluster_permissions"], *role["index_permissions"][0]["allowed_actions"]]
        assert not [one for one in everything if re.search(r"^\*|cluster:admin|delete|restapi|indices:\*", one)], job


def test_the_owners_of_an_opensearch_may_keep_their_user(engine: Program) -> None:
    theirs = {"opensearchUrl": "https://search.example.com", "opensearchUsers": "false"}
    changes = {"opensearchDomain": "false", "clusterSubnetIds": "[]"} | theirs
    chosen = settings.parse(stack_config("production") | SECRETS | changes, list(SECRETS))

    def users() -> None:
        where = pulumi.Output.from_input("home")
        for make in (opensearch.traces_user, opensearch.lines_user):
            assert make(chosen, where, without_cloud(chosen.values), pulumi.ResourceOptions()) is None

    assert not engine(users).of("Job")


def test_a_domain_of_the_program_has_users() -> None:
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(stack_config("production") | SECRETS | {"opensearchUsers": "false"}, list(SECRETS))
    wanted = "false is not allowed; allowed: true or false; true when opensearchDomain is true"
    assert error.value.problems == (f"observability:opensearchUsers: {wanted}",)


def test_a_password_changes_with_its_user_and_fits_the_rules() -> None:
    passwords = {own_password(setup, user) for setup in ("one", "two") for user in ("a", "b")}
    assert len(passwords) == 4
    assert [password_problem(one) for one in passwords] == [None] * 4
