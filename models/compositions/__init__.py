"""Domain steps as compositions of the simulator's primitives, one module a kind."""
