"""Networks by name, out of files, and the trained weights for them."""
