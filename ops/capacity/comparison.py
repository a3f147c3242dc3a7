"""Compares the estimates of two commits or two stacks, as Markdown, as terminal tables and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ops.capacity import price_list, sizing, workload
from ops.capacity.estimate import Estimate, Line, estimate
from ops.errors import OpsError

_WORKLOAD = Path("ops/capacity/workload.yaml")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """An estimate, and the one that it is compared with."""

    before: Estimate | None
    """None if there is nothing to compare with."""
    after: Estimate
    before_problem: str = ""
    """The reason why `before` could not be estimated."""

    @property
    def difference(self) -> float:
        """US dollars a month; 0 if there is nothing to compare with."""
        return self.after.monthly - self.before.monthly if self.before else 0.0

    def rows(self) -> list[tuple[str, float | None, float | None]]:
        """Name of each line with its US dollars a month before and after; None if a side lacks the line."""
        sides: list[dict[str, float | None]] = [_by_line(self.before), _by_line(self.after)]
        names = [*sides[1], *(name for name in sides[0] if name not in sides[1])]
        return [(name, sides[0].get(name), sides[1].get(name)) for name in names]

    def headline(self) -> str:
        """The sum and its difference, in one line."""
        least = any(line.quote is None for line in self.after.lines)
        total = f"{'at least' if least else 'about'} ${self.after.monthly:,.2f} a month"
        return f"{total} ({_signed(self.difference)})" if self.before else total

    def markdown(self) -> str:
        """Markdown for a comment: the sum and the changed lines, then the whole bill and the capacity, collapsed."""
        lines = [f"**{self.headline()}**", ""]
        if self.before_problem:
            lines += [f"Nothing to compare with: {self.before_problem}", ""]
        lines += [f"- ⚠️ {line}" for line in self.after.warnings]
        changed = [row for row in self.rows() if self.before and _cents(row[1]) != _cents(row[2])]
        if changed:
            lines += ["", "| | before | after |", "|---|---:|---:|", *(_markdown_row(row) for row in changed)]
        lines += ["", "<details><summary>The whole bill, and the capacity of the settings</summary>", ""]
        lines += ["| | quantity | price | source | a month |", "|---|---:|---|---|---:|"]
        lines += map(" | ".join, self._bill())
        lines += ["", "| | needed | given | |", "|---|---:|---:|---|", *map(" | ".join, self._capacity())]
        lines += ["", *(f"- {note}" for note in self.after.notes), "", "</details>"]
        return "\n".join(lines)

    def show(self, console: Console) -> None:
        """Print the estimate as tables."""
        console.print(f"\n[bold]{self.after.stack}: {self.headline()}[/]", highlight=False)
        if self.before_problem:
            console.print(f"Nothing to compare with: {self.before_problem}", markup=False, soft_wrap=True)
        if self.after.lines:
            table = Table(title="Cost in US dollars a month")
            for column in ("", "quantity", "price", "source", "before", "after"):
                table.add_column(column, justify="left" if column in ("", "quantity") else "right")
            shown = {line.what: _shown(line) for line in self.after.lines}
            # A source is longer than a row: the table has its number, and the list below the source with its date.
            texts = dict.fromkeys(source for _, _, source in shown.values() if source)
            sources = {text: number for number, text in enumerate(texts, 1)}
            for name, old, new in self.rows():
                quantity, price, source = shown.get(name, ("", "", ""))
                number = f"({sources[source]})" if source else ""
                table.add_row(name, quantity, price, number, _money(old) if self.before else "", _money(new))
            console.print(table)
            for source, number in sources.items():
                console.print(f"({number}) {source}", markup=False, highlight=False, soft_wrap=True)
        table = Table(title="Capacity of the settings")
        for column in ("", "needed", "given", "unit", ""):
            table.add_column(column, justify="right" if column in ("needed", "given") else "left")
        for need in self.after.needs:
            good = "[green]fits[/]" if need.fits else f"[bold red]too small[/]: {need.settings}"
            table.add_row(f"{need.part}: {need.what}", f"{need.needed:,.1f}", f"{need.given:,.1f}", need.unit, good)
        console.print(table)
        for note in self.after.notes:
            console.print(f"- {note}", markup=False, highlight=False, soft_wrap=True)

    def document(self) -> dict[str, Any]:
        """Both estimates and their difference as JSON values."""
        return {
            "before": self.before.document() if self.before else None,
            "after": self.after.document(),
            "difference_usd": round(self.difference, 2) if self.before else None,
        }

    def _bill(self) -> list[tuple[str, ...]]:
        lines = [
            (f"| {line.what}", *_shown(line), f"{_money(line.monthly if line.quote else None)} |")
            for line in self.after.lines
        ]
        return [*lines, ("| **Sum**", "", "", "", f"**{_money(self.after.monthly)}** |")]

    def _capacity(self) -> list[tuple[str, ...]]:
        return [
            (
                f"| {need.part}: {need.what}",
                f"{need.needed:,.1f} {need.unit}",
                f"{need.given:,.1f}",
                "fits |" if need.fits else "⚠️ too small |",
            )
            for need in self.after.needs
        ]


def of(folder: Path, values: Mapping[str, Any], stack: str, *, measure: str | None = None) -> Estimate:
    """The estimate of a stack with these values. Its workload is declared in the checkout `folder`, else in this one.

    `measure` is the address of a Prometheus whose measurements replace the declared workload. Raises OpsError.
    """
    file = folder / _WORKLOAD
    declared = workload.load(stack, file if file.is_file() else workload.FILE)
    load = workload.measured(declared, measure) if measure else declared
    sized = sizing.read(values)
    return estimate(stack, sized, load, price_list.current(sized.values.aws_region, sized.values.aws_profile))


def between(old: Path, before: Mapping[str, Any] | None, new: Path, after: Mapping[str, Any], stack: str) -> Comparison:
    """Compares one stack in two checkouts; `before` is None if the old one has no such stack.

    Raises OpsError if the new one cannot be estimated; a failure of the old one becomes `before_problem`.
    """
    estimated = of(new, after, stack)
    if before is None:
        return Comparison(before=None, after=estimated, before_problem="the base has no such stack")
    try:
        return Comparison(before=of(old, before, stack), after=estimated)
    except OpsError as error:
        problem = f"the base cannot be estimated: {'; '.join(str(error).splitlines())}"
        return Comparison(before=None, after=estimated, before_problem=problem)


def _by_line(side: Estimate | None) -> dict[str, float | None]:
    return {line.what: line.monthly if line.quote else None for line in side.lines} if side else {}


def _shown(line: Line) -> tuple[str, str, str]:
    """Quantity, price, and the price's source with its date; only the quantity if no source has a price."""
    quantity = f"{line.quantity:,.1f} × {line.unit}" if line.unit else f"{line.quantity:,.1f}"
    if line.quote is None:
        return quantity, "", ""
    price = line.quote.price
    return quantity, f"${price.value:g}", f"{price.date} {price.source}"


def _markdown_row(row: tuple[str, float | None, float | None]) -> str:
    name, before, after = row
    return f"| {name} | {_money(before)} | {_money(after)} |"


def _money(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}"


def _cents(value: float | None) -> int:
    return round((value or 0) * 100)


def _signed(value: float) -> str:
    if _cents(value) == 0:
        return "as before"
    return f"{'+' if value > 0 else '-'}${abs(value):,.2f}"
