"""Mutation tests: makes small mistakes in every rule and route, and finds those that no test notices."""
