"""The techniques, one file each; every file defines one `spaces.technique.Technique` as ``TECHNIQUE``."""
