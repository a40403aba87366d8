"""How an exported folder answers requests that arrive at a given rate."""
