"""Every query of dashboards and rules, asked of a running stack."""
