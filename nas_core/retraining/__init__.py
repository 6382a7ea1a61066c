"""The parts of retraining: what is trained, the trainings, and what came of them."""
