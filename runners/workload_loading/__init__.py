"""From what a person names to a workload: references, user files, torchvision models, checks."""
