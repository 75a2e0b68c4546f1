"""The domain: case files, parameters, the AI step and its surroundings, outcomes, decisions."""
