"""Test the list of exercises that is read from their source."""

from srlab_course.feedback.all_exercises import find, names
from srlab_course.teaching.exercise_list import entries


def test_list_has_every_exercise_in_order():
    assert list(entries()) == names()
    assert all(entry[:2] == (find(name).level, find(name).points) for name, entry in entries().items())
