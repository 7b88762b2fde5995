"""Torch without training: networks, energies, devices and threads."""
