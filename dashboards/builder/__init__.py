"""Building blocks of all dashboards: panels, units, limits, data sources, variables, links, layout."""
