"""Small real tasks to try schedules on, from data that comes with installed packages."""
