"""Several processes at work on one model: in training, and in serving."""
