"""Alert rules, SLOs, routing and who is notified: the only readers of rules/. Pure: imports no SDK."""
