"""The loop around a lab's step: runs, checkpoints, schedules, and what went wrong."""
