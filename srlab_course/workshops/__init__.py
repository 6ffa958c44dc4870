"""Workshops: specifications for code from a blank file, our tests of this file, and the student's own tests."""

from srlab_course.workshops import ladder as ladder
from srlab_course.workshops.kept import keep as keep
from srlab_course.workshops.kept import kept as kept
from srlab_course.workshops.our_tests import check as check
from srlab_course.workshops.own_file import load as load
from srlab_course.workshops.own_file import written as written
from srlab_course.workshops.own_tests import try_tests as try_tests
from srlab_course.workshops.page import page as page
from srlab_course.workshops.photos import photo_folder as photo_folder
from srlab_course.workshops.results import check_result as check_result
from srlab_course.workshops.results import check_samples as check_samples
from srlab_course.workshops.results import check_sharpness as check_sharpness
