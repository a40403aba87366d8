"""Techniques that change which layers a network has, one file each."""
