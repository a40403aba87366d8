"""Runners: they carry out stages in this process, on Ray, or in simulation."""
