"""What each choice of a candidate gives and costs, what two give together, and which choices matter in a study."""
