"""Pure functions from results to decisions."""
