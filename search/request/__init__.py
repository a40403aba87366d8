"""What a person asks for: study file, options, search space, units and locations."""
