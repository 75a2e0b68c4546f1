"""Shipped scenarios, files, studies, and the command line."""
