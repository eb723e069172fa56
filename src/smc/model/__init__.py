"""Frozen values that travel between programs: server, disk layout, plan, job, progress, report."""
