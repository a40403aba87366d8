"""How a network is trained: the loop, training levels, and parallel strategies."""
