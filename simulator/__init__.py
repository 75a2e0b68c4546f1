"""Discrete-event simulation of workflows: no AI, no invoices, no money."""
