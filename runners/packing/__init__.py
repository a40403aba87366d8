"""Artifacts in a file that is as small as it can be, and a decoder of it that needs NumPy alone."""
