"""Constants of the optimizers, as published: shared by TensorFlow's and NumPy's form of them."""

MOMENTUM = 0.9
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam
RHO = 0.9  # RMSprop
