"""Objectives, constraints, dominance and hypervolume."""
