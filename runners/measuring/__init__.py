"""How a candidate is measured: speed against the baseline, quality, energy, serving replicas."""
