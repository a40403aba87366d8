"""A search as MLflow keeps it: recorded on disk first, then sent."""
