"""One file each; every file declares one `runners.backend.Backend` as ``BACKEND``."""
