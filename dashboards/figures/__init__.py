"""Figures of a study: pure functions from tables to plotly figures, one file each."""
