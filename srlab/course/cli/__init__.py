"""The commands of ``srlab``, each in a file of its own."""
