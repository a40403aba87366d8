"""Exported folders and model files: written, checked, verified and compared."""
