"""Agents that every space and every method is compared with."""
