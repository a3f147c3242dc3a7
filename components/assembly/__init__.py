"""Converts a stack's settings to the arguments of its components and to the stack's outputs."""
