"""From a configuration to its chain of stages."""
