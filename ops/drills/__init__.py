"""Drills: every alert made to fire, pods killed meanwhile, routes tried; plan, faults, stages and report."""
