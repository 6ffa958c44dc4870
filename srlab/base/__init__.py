"""What everything stands on: errors, files that are whole or not there, devices, and where things lie."""
