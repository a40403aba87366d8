"""What a person asks for: study file, flags, search space, units and places."""
