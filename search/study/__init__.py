"""Optuna's storage of studies, what is kept in a study, and the lock of the process that drives it."""
