"""One file each: a step of building a candidate, and how steps are chained and named."""
