"""Train networks: the loop, run folders, learning-rate schedules and checks for divergence."""
