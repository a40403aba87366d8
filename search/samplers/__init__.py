"""What to try next: an Optuna sampler for several objectives, some of them cheap to measure."""
