"""Changes of a network that take layers out, put others in, or make another network; torch is imported when called."""
