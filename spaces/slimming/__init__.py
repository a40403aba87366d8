"""How a share of the channels of a network is removed: `spaces.slimming.slim.slim`, and what it leaves alone."""
