"""Agents beside tuned schedules: same tasks, same luck, same budget for tuning; intervals."""
