"""Drills that make every alert fire, kill pods meanwhile, or test only the routes; with plan, faults and report."""
