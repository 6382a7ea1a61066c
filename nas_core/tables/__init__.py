"""Published tables: architectures that were all trained once, so that a query costs nothing."""
