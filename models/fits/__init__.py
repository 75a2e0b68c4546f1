"""Fits: one sub-model of the production parameters a module; each turns evidence and prior beliefs into joint draws."""
