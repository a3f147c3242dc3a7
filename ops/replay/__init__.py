"""Replays recorded alerts through rules and routes: who would have been notified, when and how often."""
