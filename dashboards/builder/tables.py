"""Tables of the newest values: one row per combination of labels, one column per query."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue, Panel

from dashboards.builder.panels import finish
from dashboards.builder.queries import prom_table

_WIDE = 230  # pixels: about 30 letters


@dataclass(frozen=True, kw_only=True)
class Column:
    """One query; all columns of a table must have the same labels."""

    title: str
    expression: str
    unit: str
    decimals: int | None = None
    """None: depends on the size of the value."""


def ranking(
    title: str,
    description: str,
    columns: list[Column],
    labels: dict[str, str],
    *,
    smallest_first: bool = False,
    wide: str = "",
) -> Panel:
    """A table sorted by the first column, descending unless `smallest_first`.

    `labels` maps labels of the queries to titles of their columns. `wide` is the title of a column with long names.
    """
    # Grafana names a query's column after its letter, or just "Value" if there is only one query.
    names = [f"Value #{chr(ord('A') + index)}" for index in range(len(columns))] if len(columns) > 1 else ["Value"]
    titles = labels | dict(zip(names, (column.title for column in columns), strict=True))
    builder = (
        table.Panel()
        .unit(columns[0].unit)
        .sort_by([common.TableSortByFieldState().display_name(columns[0].title).desc(not smallest_first)])
        .filterable(True)
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": {"Time": True},
                    "indexByName": {name: index for index, name in enumerate(titles)},
                    "renameByName": titles,
                },
            )
        )
    )
    for column in columns:
        values = [DynamicConfigValue("unit", column.unit)]
        if column.decimals is not None:
            values.append(DynamicConfigValue("decimals", column.decimals))
        builder = builder.override_by_name(column.title, values)
    if wide:
        builder = builder.override_by_name(wide, [DynamicConfigValue("custom.width", _WIDE)])
    queries = [prom_table(column.expression, column.title) for column in columns]
    return finish(builder.build(), title, description, queries)
