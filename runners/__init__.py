"""How a choice becomes a measurement: stages, backends, workloads, and the runners that carry them out."""
