"""See a schedule: pictures and tables."""
