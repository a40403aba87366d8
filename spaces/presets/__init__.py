"""Ready-made spaces as YAML files."""
