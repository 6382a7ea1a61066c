"""Agents beside random search: same space, same budget, same seeds, with intervals."""
