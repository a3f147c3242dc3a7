"""Requests to AWS that pods sign with their identity: two programs that run in pods, and the calls of the first.

`prove` and `proxy` need nothing but Python and `aws_request`, which is beside them in their ConfigMap.
"""
