"""Template variables: data sources and filters."""

from grafana_foundation_sdk.builders.dashboard import (
    ConstantVariable,
    CustomVariable,
    DatasourceVariable,
    QueryVariable,
    TextBoxVariable,
)
from grafana_foundation_sdk.models.dashboard import (
    VariableHide,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from alerting import systems
from alerting.files import RULES
from dashboards.builder.sources import PROMETHEUS, Source

RUNBOOKS = "runbooks"
"""Name of the hidden variable with the base URL of the runbooks; each stack sets its own."""
RUNBOOKS_DEFAULT = "https://github.com/example/observability-platform/blob/main/rules/runbooks"

_ALL = VariableOption(selected=True, text=["All"], value=["$__all"])


def source(data_source: Source) -> VariableModel:
    """The data source of one type; hidden, because a stack has one of each. The address of a page can set another."""
    name = data_source.name
    current = VariableOption(selected=True, text=name, value=name)
    variable = DatasourceVariable(name).label(data_source.title).type(data_source.kind).current(current)
    return variable.hide(VariableHide.HIDE_VARIABLE).build()


def label_values(
    name: str, label: str, selector: str, *, only_these: bool = False, first: str | None = None
) -> VariableModel:
    """Offers the values of `label` in the series of `selector`; the initial selection is `first`, or else All.

    All means `.*`, which keeps queries short and includes series without the label. With `only_these`, All means all
    offered values, for labels that series and log lines of other systems have, too.
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


def namespace_of(system: str, selector: str) -> VariableModel:
    """Offers those of the system's own namespaces that have a series of `selector`: others may claim its metrics."""
    own = "|".join(systems.load(RULES)[0][system].namespaces)
    metric, _, matchers = selector.rstrip("}").partition("{")
    inside = ", ".join([*filter(None, [matchers]), f'namespace=~"{own}"'])
    return label_values("namespace", "namespace", f"{metric}{{{inside}}}", only_these=True)


def choice(name: str, values: list[str]) -> VariableModel:
    """Offers fixed values; the initial selection is All."""
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
    """A text field, initially empty."""
    return TextBoxVariable(name).label(label).default_value("").current(VariableOption(text="", value="")).build()


def runbooks() -> VariableModel:
    """The base URL of the runbooks; hidden."""
    variable = ConstantVariable(RUNBOOKS).value(RUNBOOKS_DEFAULT).build()
    variable.current = VariableOption(text=RUNBOOKS_DEFAULT, value=RUNBOOKS_DEFAULT)
    return variable
