"""Commands of `srlab` that need no lab. `srlab.course.cli.main` calls them."""
