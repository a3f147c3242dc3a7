"""The page that `make open` shows first: links, firing alerts, last deliveries, and the faults to try."""
