"""NASNet: cells found by a controller trained with policy gradients (Zoph et al. 2018)."""
