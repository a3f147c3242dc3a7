"""`check-queries`: runs every query of every dashboard and rule against the live stack; lists those without data."""

import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from alerting import loader
from dashboards.files import FOLDER
from engine.rule_checks import pint
from local import toolchain
from ops.clients.kube import Service, service_url
from ops.clients.signals import Api, Prometheus
from ops.drills.deployed import content
from ops.drills.fire_alerts import INTERRUPTED, terminal
from ops.drills.plan import SCRAPE_POOL
from ops.environment import LOCAL, Environment, load
from ops.errors import OpsError, UsageError
from ops.queries import dashboard_queries, quiet_selectors, rule_queries
from ops.queries.dashboard_queries import DashboardQueries
from ops.queries.grafana_interpolation import Window
from ops.queries.query_check import GOOD, Check, Outcome, Verdict, in_reading_order, kinds
from ops.queries.query_sources import SOURCES
from ops.queries.rule_queries import RuleQuery
from settings import deployed
from settings.apps import JAEGER, LOKI, PROMETHEUS
from settings.eks import secret_references

HOUR = 3600.0
"""Seconds: the dashboards' default time range, also used as the time range in which a rule's series must exist."""
_PORTS = {app.name: app.port for app in (PROMETHEUS, LOKI, JAEGER)}
# A cheap request that shows whether an address leads to the right service.
_FIRST_REQUEST = {"prometheus": "/api/v1/status/buildinfo", "loki": "/loki/api/v1/labels", "jaeger": "/api/services"}

Dashboards = Annotated[
    list[str] | None, typer.Option("--dashboard", help="Only this dashboard (uid), and no rules; may be repeated.")
]
Stack = Annotated[str, typer.Option("--environment", help="Stack, as in Pulumi.<stack>.yaml.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write every outcome to this file.")]
PrometheusUrl = Annotated[str | None, typer.Option(help="Prometheus to query, instead of the stack's.")]
LokiUrl = Annotated[str | None, typer.Option(help="Loki to query, instead of the stack's.")]
JaegerUrl = Annotated[str | None, typer.Option(help="Jaeger query API to use, instead of the stack's.")]


def check_queries(
    *,
    dashboard: Dashboards = None,
    environment: Stack = LOCAL,
    json_file: JsonFile = None,
    prometheus_url: PrometheusUrl = None,
    loki_url: LokiUrl = None,
    jaeger_url: JaegerUrl = None,
) -> None:
    """Run the queries of all dashboards and rules on the live stack, with variables as Grafana sets them initially.

    Then pint, a linter, judges the rules by the series that are there.

    Exit code: 0 every query has data, 1 a query has no data or an error, or pint finds a mistake, 2 bad usage.
    """
    stack = load(environment)
    dashboards = chosen_dashboards(dashboard or [])
    rules = [] if dashboard else stack_rules(stack)
    urls = {"prometheus": prometheus_url, "loki": loki_url, "jaeger": jaeger_url}
    given = {kind: url for kind, url in urls.items() if url}
    with ExitStack() as forwards:
        for kind in sorted((kinds(dashboards, rules) | {"prometheus"}) & SOURCES.keys() - given.keys()):
            service = Service(namespace=stack.namespace, name=kind, port=_PORTS[kind])
            given[kind] = forwards.enter_context(service_url(stack.cluster(), service))
        console = terminal()
        code = run(console, given, dashboards, rules, json_file=json_file)
        if rules and code != INTERRUPTED:
            texts = deployed.read(environment, secret_references.placeholder).prometheus
            code = max(code, lint(console, toolchain.present("pint"), texts, given["prometheus"]))
        raise typer.Exit(code)


def lint(console: Console, program: Path | None, rules: Mapping[str, str], prometheus_url: str) -> int:
    """Print what pint says of rules by file name on the series of this Prometheus. Returns 1 if it finds a mistake."""
    if program is None:
        console.print("The rules were not checked by pint, which is not built: python -m local toolchain pint")
        return 0
    with TemporaryDirectory(prefix="pint-") as folder:
        mistakes, warnings = pint.live_problems(program, rules, Path(folder), prometheus_url)
    for text in (*mistakes, *warnings):
        console.print(text, markup=False, highlight=False)
    console.print(f"pint: {len(mistakes)} mistakes and {len(warnings)} warnings in {len(rules)} rule files.")
    return int(bool(mistakes))


def chosen_dashboards(uids: Sequence[str], folder: Path = FOLDER) -> list[DashboardQueries]:
    """The committed dashboards, or only those in `uids`. Raises UsageError for an unknown uid."""
    found = dashboard_queries.load(folder)
    if unknown := set(uids) - {one.uid for one in found}:
        known = ", ".join(one.uid for one in found)
        raise UsageError(f"no dashboard {', '.join(sorted(unknown))}; there are: {known}")
    return [one for one in found if not uids or one.uid in uids]


def stack_rules(stack: Environment) -> list[RuleQuery]:
    """The rules that a stack evaluates, with its overrides. Raises OpsError for invalid rules."""
    files = content(stack)
    alerts = {name: files.rule(name) for name in files.rules if files.enabled(name)}
    return rule_queries.read(alerts, loader.load().recordings())


def run(
    console: Console,
    urls: dict[str, str],
    dashboards: Sequence[DashboardQueries],
    rules: Sequence[RuleQuery],
    *,
    json_file: Path | None = None,
) -> int:
    """Check the queries at these addresses (plugin id -> URL) and print the problems. Returns the exit code."""
    for kind, url in urls.items():
        Api(kind.capitalize(), url).get(_FIRST_REQUEST[kind])
    now = time.time()
    sources = {kind: SOURCES[kind](url) for kind, url in urls.items()}
    check = Check(
        sources=sources,
        window=Window(start=now - HOUR, end=now),
        scrape_interval=Prometheus(urls["prometheus"]).scrape_interval(SCRAPE_POOL),
        quiet=quiet_selectors.load(),
    )
    outcomes: list[Outcome] = []
    total = sum(len(one.queries) for one in dashboards) + len(rules)
    interrupted = False
    try:
        with _progress(console, total) as step:
            check.run(dashboards, rules, lambda outcome: (outcomes.append(outcome), step())[0])
    except KeyboardInterrupt:
        interrupted = True
    finally:
        for source in sources.values():
            source.close()
    _report(console, outcomes)
    if json_file:
        _write(json_file, outcomes)
    if interrupted:
        console.print(f"Interrupted after {len(outcomes)} of about {total} queries.")
        return INTERRUPTED
    return 0 if all(outcome.good for outcome in outcomes) else 1


def _report(console: Console, outcomes: Sequence[Outcome]) -> None:
    ordered = in_reading_order(outcomes)
    quiet = [outcome for outcome in ordered if outcome.verdict is Verdict.QUIET]
    for title, shown in (
        ("Accepted without data: declared as absent until something happens", quiet),
        ("Queries without data or with an error", [outcome for outcome in ordered if not outcome.good]),
    ):
        if shown:
            console.print(_table(title, shown))
    for line in summary(outcomes):
        console.print(line)


def _table(title: str, outcomes: Sequence[Outcome]) -> Table:
    table = Table(title=title)
    for column in ("of", "where", "verdict", "why", "query"):
        table.add_column(column, overflow="fold")
    for one in outcomes:
        where = f"{one.kind} {one.where}"
        table.add_row(one.owner, *(escape(text) for text in (where, one.verdict, one.detail, one.expression)))
    return table


def summary(outcomes: Sequence[Outcome]) -> list[str]:
    """One line per dashboard and rule engine, and one for all."""
    lines: list[str] = []
    for owner in sorted({one.owner for one in outcomes}):
        own = [one for one in outcomes if one.owner == owner]
        counts = {verdict: sum(one.verdict is verdict for one in own) for verdict in Verdict}
        totals = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
        lines.append(f"{owner}: {totals}")
    wrong = sum(not one.good for one in outcomes)
    lines.append(f"{len(outcomes) - wrong} of {len(outcomes)} queries are as they should be.")
    return lines


def _write(file: Path, outcomes: Sequence[Outcome]) -> None:
    try:
        file.write_text(
            json.dumps([asdict(one) | {"good": one.verdict in GOOD} for one in in_reading_order(outcomes)], indent=2)
            + "\n",
            encoding="utf-8",
        )
    except OSError as error:
        raise OpsError(f"{file} cannot be written: {error.strerror}") from error


@contextmanager
def _progress(console: Console, total: int) -> Generator[Callable[[], None]]:
    """A progress bar on a terminal; elsewhere no output."""
    columns = (TextColumn("queries"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("queries", total=total)
        yield lambda: progress.advance(task)
