"""An exported folder as a model in MLflow's registry."""
