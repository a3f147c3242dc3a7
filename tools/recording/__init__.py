"""Runs the program on Pulumi's mock engine, without a cluster or an account, and records what it registers."""
