"""One file each: a step of building a candidate, with how steps chain and where results are kept."""
