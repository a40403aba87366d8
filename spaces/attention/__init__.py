"""Attention with fewer heads than its width has room for."""
