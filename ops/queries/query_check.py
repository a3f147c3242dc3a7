"""Runs every query of dashboards and rules and classifies the results. Independent of terminals and clusters."""

from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from alerting import durations
from ops.queries.dashboard_queries import DashboardQueries, PanelQuery
from ops.queries.grafana_interpolation import Chosen, Language, Window, builtins, references, replaced, step
from ops.queries.grafana_variables import Variable, VariableError, in_order, lookup, resolve
from ops.queries.query_sources import QueryError, Question, Source
from ops.queries.quiet_selectors import Quiet, Selector
from ops.queries.rule_queries import RuleQuery, compares, fills_gaps, logql_selectors, picks_lines, promql_selectors

AT_ONCE = 4
"""Queries that run at the same time; a small number leaves the data sources capacity for their other work."""


class Verdict(StrEnum):
    """The result of a query."""

    DATA = "data"
    NOTHING = "nothing"
    ERROR = "error"
    MISSING = "no series"
    """A selector in the query has no samples, so that the query would report that all is well."""
    SHORT = "cannot fire"
    """An alert on a quantile needs more than the buckets of a program can show."""
    QUIET = "not yet"
    """A selector has no samples, but is declared as absent until something happens. Not a problem."""


GOOD = (Verdict.DATA, Verdict.QUIET)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one query."""

    kind: str
    """`panel`, `variable` or `rule`."""
    owner: str
    """The dashboard's uid, or the engine that evaluates the rule."""
    where: str
    """The panel and the query's letter, the variable, or the alert."""
    expression: str
    """With its variables replaced."""
    verdict: Verdict
    detail: str

    @property
    def good(self) -> bool:
        """Whether the query needs no attention."""
        return self.verdict in GOOD


@dataclass(frozen=True, kw_only=True)
class Check:
    """Sources and settings of one run."""

    sources: Mapping[str, Source]
    """Plugin id -> source."""
    window: Window
    scrape_interval: float
    """Seconds, as set in Grafana's data source; the minimum step."""
    quiet: Quiet
    """Selectors that may find nothing although all is well."""

    def run(
        self, dashboards: Sequence[DashboardQueries], rules: Sequence[RuleQuery], done: Callable[[Outcome], None]
    ) -> None:
        """Call `done` with each outcome as it arrives, in the caller's thread. Ctrl-C cancels the remaining queries."""
        pool = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="query")
        try:
            waiting: set[Future[list[Outcome]]] = {pool.submit(self.rule, one) for one in rules}
            for dashboard in dashboards:
                chosen, outcomes = self.variables(dashboard)
                for outcome in outcomes:
                    done(outcome)
                waiting |= {pool.submit(self.panel, dashboard, query, chosen) for query in dashboard.queries}
            for future in as_completed(waiting):
                for outcome in future.result():
                    done(outcome)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def variables(self, dashboard: DashboardQueries) -> tuple[dict[str, Chosen], list[Outcome]]:
        """The initial selection of each variable of a dashboard, and an outcome for each that queries a source."""
        chosen: dict[str, Chosen] = {}
        outcomes: list[Outcome] = []
        try:
            ordered = in_order(dashboard.variables)
        except VariableError as error:
            return {}, [_outcome("variable", dashboard.uid, "all", "", Verdict.ERROR, str(error))]
        for variable in ordered:
            outcome = self._variable(dashboard, variable, chosen)
            outcomes += [outcome] if outcome else []
        return chosen, outcomes

    def panel(self, dashboard: DashboardQueries, query: PanelQuery, chosen: Mapping[str, Chosen]) -> list[Outcome]:
        """Runs one query of a panel and judges its result.

        If the query returns nothing, or fills gaps, its selectors are checked as for a rule: an answer to
        `x or vector(0)` does not prove that x exists.
        """
        where = f"{query.panel} {query.ref}"
        interval = step(self.window, minimum=max(self.scrape_interval, _seconds(query.interval)))
        own = builtins(self.window, scrape_interval=self.scrape_interval, interval=interval)
        text = query.expression
        try:
            text = replaced(text, chosen, own, _language(query.source))
            _require_complete(query.expression, chosen.keys() | own.keys())
            question = Question(expression=text, step=interval, instant=query.instant)
            source = self._source(query.source)
            rows = source.rows(question, self.window)
            found = self._parts(source, query.source, text, rows)
            if rows == 0 and not found and query.instant and query.source == "prometheus":
                found = self._ended(source, promql_selectors(text))
        except (QueryError, ValueError) as error:
            return [_outcome("panel", dashboard.uid, where, text, Verdict.ERROR, str(error))]
        if found:
            return [_outcome("panel", dashboard.uid, where, part, *verdict) for part, verdict in found]
        verdict = Verdict.DATA if rows else Verdict.NOTHING
        return [_outcome("panel", dashboard.uid, where, text, verdict, f"{rows} series" if rows else "no data")]

    def _parts(self, source: Source, language: str, text: str, rows: int) -> list[tuple[str, tuple[Verdict, str]]]:
        """Verdicts on parts of the query, if the answer alone proves nothing; empty if it does."""
        if language == "prometheus" and (rows == 0 or fills_gaps(text)):
            none_fits = [(text, (Verdict.QUIET, "its series exist, but none meets the comparison"))]
            return self._missing(source, promql_selectors(text)) or (none_fits if rows == 0 and compares(text) else [])
        if language == "loki" and rows == 0 and picks_lines(text):
            none_fits = [(text, (Verdict.QUIET, "its streams and labels exist, but no line matches"))]
            return self._missing(source, logql_selectors(text)) or none_fits
        return []

    def _ended(self, source: Source, selectors: Sequence[Selector]) -> list[tuple[str, tuple[Verdict, str]]]:
        """The selectors that may find nothing and do so now, though they found something earlier in the window."""
        return [
            (one.text, (Verdict.QUIET, f"{why}; ended within the last {self.window.length / 60:.0f} minutes"))
            for one in selectors
            if (why := self.quiet.whole(one))
            and source.rows(Question(expression=one.text, step=60, instant=True), self.window) == 0
        ]

    def rule(self, rule: RuleQuery) -> list[Outcome]:
        """One outcome for a rule whose parts all exist, else one for each selector that finds nothing."""
        try:
            source = self._source(rule.engine)
            question = Question(expression=rule.expression, step=60, instant=True)
            source.rows(question, self.window)
            missing = self._missing(source, rule.selectors)
            missing += self._short(source, rule)
            found = [_outcome("rule", rule.engine, rule.alert, part, *verdict) for part, verdict in missing]
        except (QueryError, ValueError) as error:
            return [_outcome("rule", rule.engine, rule.alert, rule.expression, Verdict.ERROR, str(error))]
        detail = f"{len(rule.selectors)} selectors have series"
        return found or [_outcome("rule", rule.engine, rule.alert, rule.expression, Verdict.DATA, detail)]

    def _missing(self, source: Source, selectors: Sequence[Selector]) -> list[tuple[str, tuple[Verdict, str]]]:
        """The selectors that find nothing, each with its verdict."""
        asked = [(one, self._selector(source, one)) for one in selectors]
        return [(one.text, verdict) for one, verdict in asked if verdict is not None]

    def _short(self, source: Source, rule: RuleQuery) -> list[tuple[str, tuple[Verdict, str]]]:
        """A verdict for each program with buckets that end before the value that the alert needs."""
        found: list[tuple[str, tuple[Verdict, str]]] = []
        for one in rule.quantiles:
            text = rule.buckets(one).text
            for program, bound in source.last_buckets(text, self.window).items():
                if not one.within(bound):
                    ends = f"the last finite bucket of {program} ends at {bound:g}"
                    found.append((text, (Verdict.SHORT, f"the alert needs more than {one.limit:g}, and {ends}")))
        return found

    def _selector(self, source: Source, selector: Selector) -> tuple[Verdict, str] | None:
        """The verdict on a selector that finds nothing; None if it finds something."""
        if source.has_data(selector.text, self.window):
            return None
        # If the metric exists, its matchers must match too; otherwise "may be absent" would hide a wrong label.
        if (why := self.quiet.whole(selector)) and not source.has_data(selector.bare, self.window):
            return Verdict.QUIET, why
        if (parts := self.quiet.parts(selector)) and source.has_data(selector.loosened(parts), self.window):
            return Verdict.QUIET, "; ".join(parts.values())
        return Verdict.MISSING, f"no sample within {self.window.length / 60:.0f} minutes"

    def _variable(self, dashboard: DashboardQueries, variable: Variable, chosen: dict[str, Chosen]) -> Outcome | None:
        """Adds the variable's selection to `chosen`. Returns an outcome if the variable queries a source."""
        asked = variable.query

        def values_of(one: Variable) -> Sequence[str]:
            nonlocal asked
            if one.kind == "datasource":
                return [one.query]
            named = replaced(one.datasource, chosen, {}, "plain") or "prometheus"
            own = builtins(self.window, scrape_interval=self.scrape_interval, interval=self.scrape_interval)
            asked = replaced(one.query, chosen, own, _language(named))
            return self._source(named).values(lookup(asked), self.window)

        try:
            chosen[variable.name] = resolve(variable, values_of)
        except (QueryError, VariableError, ValueError) as error:
            verdict = Verdict.NOTHING if isinstance(error, VariableError) else Verdict.ERROR
            return _outcome("variable", dashboard.uid, variable.name, asked, verdict, str(error))
        if variable.kind != "query":
            return None
        # With a custom value for All, the dashboard works without options, but its users cannot choose any.
        count = len(chosen[variable.name].values)
        verdict = Verdict.DATA if count else Verdict.NOTHING
        return _outcome("variable", dashboard.uid, variable.name, asked, verdict, f"{count} values")

    def _source(self, kind: str) -> Source:
        if kind not in self.sources:
            raise QueryError(f"data source {kind!r} is not checked here; there are: {', '.join(sorted(self.sources))}")
        return self.sources[kind]


def kinds(dashboards: Sequence[DashboardQueries], rules: Sequence[RuleQuery]) -> set[str]:
    """Plugin ids of all data sources that the queries need."""
    return {query.source for one in dashboards for query in one.queries} | {rule.engine for rule in rules}


def in_reading_order(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Sorted by owner, then worst verdict first, then kind and place."""
    rank = {
        verdict: place for place, verdict in enumerate((Verdict.ERROR, Verdict.MISSING, Verdict.SHORT, Verdict.NOTHING))
    }
    return sorted(outcomes, key=lambda one: (one.owner, rank.get(one.verdict, 9), one.kind, one.where))


def _require_complete(expression: str, known: Set[str]) -> None:
    if not expression.strip():
        raise QueryError("the query is empty")
    if unknown := references(expression) - known:
        raise QueryError(f"no variable {', '.join(sorted(unknown))} in this dashboard")


def _language(source: str) -> Language:
    return cast(Language, source) if source in ("prometheus", "loki") else "plain"


def _seconds(interval: str) -> float:
    text = interval.lstrip(">").strip()
    return durations.seconds(text) if text and not references(text) else 0.0


def _outcome(kind: str, owner: str, where: str, expression: str, verdict: Verdict, detail: str) -> Outcome:
    return Outcome(kind=kind, owner=owner, where=where, expression=expression, verdict=verdict, detail=detail)
