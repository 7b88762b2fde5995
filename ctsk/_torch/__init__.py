"""Networks, energies, devices and threads of torch, independent of training."""
