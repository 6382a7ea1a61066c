"""From a specification to a score: the Keras trainer, and a mock that answers in milliseconds."""
