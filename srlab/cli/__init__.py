"""The command line ``srlab``: its own commands, and those that the course registers (`main`)."""
