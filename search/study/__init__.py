"""What lies in Optuna's storage, and who may write it."""
