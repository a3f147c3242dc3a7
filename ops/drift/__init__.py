"""Finds differences between a stack and its state since the last `up`; see command.py."""
