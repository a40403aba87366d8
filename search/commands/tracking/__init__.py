"""What a command tells MLflow of a study, and where MLflow keeps it."""
