"""Scenarios made from public event logs: each script derives statistics from a log that is not part of the project."""
