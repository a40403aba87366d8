"""How a candidate is measured: the types, the paired stopwatch, and what surrounds it."""
