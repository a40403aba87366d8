"""How a network is trained: distillation, transfer, learning rate, epochs, processes. A technique in each file."""
