"""The commands of ``srlab``, one module each."""
