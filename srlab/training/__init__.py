"""Train networks: the training loop, run folders, learning-rate schedules and checks for divergence."""
