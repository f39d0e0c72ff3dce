"""Look at a schedule: warnings, pictures and tables."""
