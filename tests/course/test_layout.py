"""Test text for a terminal."""

from srlab_course.layout import in_columns, in_lines


def test_lines_and_columns_have_no_control_characters():
    """A name in them may come from a stranger's file."""
    name = "\x1b]0;title\x07 and\n\x9b2Jmore"
    assert in_lines("run: ", name) == "run: ?]0;title? and ?2Jmore"
    assert in_columns([[name, "1"]]) == "?]0;title? and ?2Jmore  1"
