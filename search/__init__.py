"""What to try next, and the command line."""
