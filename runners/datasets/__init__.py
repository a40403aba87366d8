"""Kinds of data that a workload can be made of."""
