"""Evidence: what files of measurements may say, what each field informs, and their sufficient statistics."""
