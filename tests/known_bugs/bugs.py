"""All bugs that are planted, in the order of their list."""

from . import bugs_elsewhere, bugs_of_the_study

BUGS = [*bugs_of_the_study.BUGS, *bugs_elsewhere.BUGS]
