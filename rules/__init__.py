"""Alert rules, their thresholds and where they are routed: data, and pure code that validates and renders it."""
