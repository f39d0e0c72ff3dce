"""Choose a schedule before the compute is spent."""
