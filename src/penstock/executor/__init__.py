"""Carries plans out: the runner walks the steps, one file per step kind does the work."""
