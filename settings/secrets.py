"""The secrets of a stack: either encrypted in the configuration, or references that are read from AWS."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from alerting.routing import Routing
from settings import channel_secrets, parsing
from settings import values as setting_values
from settings.eks import opensearch, secret_references
from settings.eks.facts import Facts, Findings
from settings.eks.secret_references import Reference
from settings.parsing import PROJECT
from settings.values import Values

_SEARCH = "opensearchPassword"


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """The configuration with each reference replaced by its value, and the facts that AWS reported."""

    raw: Mapping[str, str] = field(repr=False)
    present: Collection[str]
    """Keys of values.SECRETS that are set."""
    facts: Facts | None


def read(
    raw: Mapping[str, str],
    encrypted: Collection[str],
    routing: Routing | None,
    values: Values | None,
    ask: Callable[[Values, Mapping[str, Reference]], Findings],
) -> tuple[Secrets, list[str]]:
    """Reads the references and checks their values. Also returns one line for each problem.

    An unreadable reference has already been reported. A well-formed placeholder takes its place, so that the other
    checks can run.
    """
    keys = (*(routing.secrets() if routing else ()), *setting_values.SECRETS)
    references, malformed = secret_references.find(raw, keys)
    problems = _keyed(malformed)
    findings = Findings()
    if values and values.cloud == "eks":
        findings = ask(values, references)
        problems += _keyed(findings.problems)
    elif values:
        problems += _keyed([f"{key}: a reference is not allowed; allowed only when cloud is eks" for key in references])
    forms = routing.forms() if routing else {}
    unread = [key for key in keys if _is_reference(raw, key)]
    placeholders = {key: secret_references.placeholder(forms.get(key, ""), key) for key in unread}
    filled = {**raw, **placeholders, **findings.secrets}
    hidden = {*encrypted, *placeholders}
    if routing:
        problems += _keyed(channel_secrets.problems(filled, hidden, routing, values))
    # Reads the raw text: `values` may be None because of another key, and all problems are reported at once.
    if raw.get("opensearchDomain") == "true" and filled.get(_SEARCH):
        problems += _keyed(_password_problems(filled[_SEARCH]))
    present = [key for key in setting_values.SECRETS if filled.get(key)]
    problems += _keyed([*channel_secrets.control_problems({key: filled[key] for key in present})])
    needed = dict(values.secrets()) if values else {}
    problems += parsing.credential_problems(present, hidden, needed)
    if values:
        problems += parsing.unused(present, values)
    return Secrets(raw=filled, present=present, facts=findings.facts), problems


def _password_problems(password: str) -> list[str]:
    problem = opensearch.password_problem(password)
    allowed = opensearch.PASSWORD_ALLOWED
    return [f"{_SEARCH}: the value (a secret, not shown) {problem}; allowed: {allowed}"] if problem else []


def _is_reference(raw: Mapping[str, str], key: str) -> bool:
    return raw.get(key, "").startswith(secret_references.PREFIX)


def _keyed(problems: Collection[str]) -> list[str]:
    return [f"{PROJECT}:{problem}" for problem in problems]
