"""Results of stages by key, in a folder or at a URL."""
