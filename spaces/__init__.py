"""What may be chosen: techniques, configurations and the space they span. Importing it imports no torch."""
