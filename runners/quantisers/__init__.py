"""The tools that quantise a network to int8 after training, a file each."""
