"""Checks of the fits: calibration by simulation, and real event logs that are not part of the project."""
