"""One file each; every file declares one `spaces.technique.Technique` as ``TECHNIQUE``."""
