"""What rewards say about architectures not tried yet: a model with uncertainty, for any agent."""
