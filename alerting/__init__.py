"""Alert rules, SLOs and notification routing. Only this package reads rules/; it is pure and imports no SDK."""
