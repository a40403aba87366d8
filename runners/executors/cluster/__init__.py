"""The nodes of a cluster: what they have, what they answer before the first trial, which of them a stage goes to."""
