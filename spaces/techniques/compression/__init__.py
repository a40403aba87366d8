"""Techniques that make the file of a network small: sparse weights, and weights that share values."""
