"""A table of the newest values: one row per combination of labels, one column per query."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue, Panel

from dashboards.builder.panels import finish
from dashboards.builder.queries import prom_table


@dataclass(frozen=True, kw_only=True)
class Column:
    """One query; all columns of a table give the same labels."""

    title: str
    expression: str
    unit: str


def ranking(title: str, description: str, columns: list[Column], labels: dict[str, str]) -> Panel:
    """Rows sorted by the first column, largest first. `labels`: label of the queries -> title of its column."""
    # Grafana names a query's column after its letter; one query alone is just "Value".
    names = [f"Value #{chr(ord('A') + index)}" for index in range(len(columns))] if len(columns) > 1 else ["Value"]
    titles = labels | dict(zip(names, (column.title for column in columns), strict=True))
    builder = (
        table.Panel()
        .unit(columns[0].unit)
        .sort_by([common.TableSortByFieldState().display_name(columns[0].title).desc(True)])
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
        builder = builder.override_by_name(column.title, [DynamicConfigValue("unit", column.unit)])
    queries = [prom_table(column.expression, column.title) for column in columns]
    return finish(builder.build(), title, description, queries)
