"""Stand-in for the official `kubernetes` provider plugin: the real API server, and the kinds that the program uses."""
