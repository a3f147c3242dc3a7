"""What a change means for the people who are told: two commits compared in terms of alerts, routes and dashboards."""
