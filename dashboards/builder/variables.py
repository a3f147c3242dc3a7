"""Template variables: data sources, and what narrows a dashboard down."""

from grafana_foundation_sdk.builders.dashboard import (
    ConstantVariable,
    CustomVariable,
    DatasourceVariable,
    QueryVariable,
    TextBoxVariable,
)
from grafana_foundation_sdk.models.dashboard import (
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.builder.sources import PROMETHEUS, Source

RUNBOOKS = "runbooks"
"""Name of the hidden variable with the address of the runbooks; each stack puts its own there."""
RUNBOOKS_DEFAULT = "https://github.com/example/observability-platform/blob/main/rules/runbooks"

_ALL = VariableOption(selected=True, text=["All"], value=["$__all"])


def source(one: Source) -> VariableModel:
    """Which data source of its kind."""
    current = VariableOption(selected=True, text=one.name, value=one.name)
    return DatasourceVariable(one.name).label(one.title).type(one.kind).current(current).build()


def label_values(
    name: str, label: str, selector: str, *, only_these: bool = False, first: str | None = None
) -> VariableModel:
    """The values that label `label` has in the series of `selector`; `first` is chosen at first, else All.

    All is `.*`: a short query, and a series without the label is not lost. With `only_these` All is every value
    joined: for a label that other systems' series and log lines have, too.
    """
    query: dict[str, object] = {"query": f"label_values({selector}, {label})", "refId": name}
    variable = (
        QueryVariable(name)
        .label(name.replace("_", " ").capitalize())
        .datasource(PROMETHEUS.ref)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(VariableOption(selected=True, text=[first], value=[first]) if first else _ALL)
    )
    return (variable if only_these else variable.all_value(".*")).build()


def choice(name: str, values: list[str]) -> VariableModel:
    """Some of these values; All at first."""
    return (
        CustomVariable(name)
        .label(name.capitalize())
        .values(",".join(values))
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(_ALL)
        .build()
    )


def search(name: str, label: str) -> VariableModel:
    """A text that the reader types; empty at first."""
    return TextBoxVariable(name).label(label).default_value("").current(VariableOption(text="", value="")).build()


def runbooks() -> VariableModel:
    """The address under which runbooks are read; hidden."""
    variable = ConstantVariable(RUNBOOKS).value(RUNBOOKS_DEFAULT).build()
    variable.current = VariableOption(text=RUNBOOKS_DEFAULT, value=RUNBOOKS_DEFAULT)
    return variable
