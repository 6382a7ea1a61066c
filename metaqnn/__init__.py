"""MetaQNN: architectures by tabular Q-learning with experience replay (Baker et al. 2017)."""
