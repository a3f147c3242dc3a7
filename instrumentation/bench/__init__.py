"""Benchmarks of the FastAPI package: the cost of one request, and a steady load; they need no cluster."""
