"""Eight plain questions that turn a scenario into a first case of one's own: questions, answers, and what they change."""
