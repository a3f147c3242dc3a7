"""Commands that people run against a stack: drills, checks, reviews and estimates, and the clients they need."""
