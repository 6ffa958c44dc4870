"""Functions for a lab's notebook: setup, exercises, guesses, quizzes, ballots. The rest of srlab never imports this."""

from srlab.course.ballot import Ballot as Ballot
from srlab.course.checks import check as check
from srlab.course.diagnosis import diagnose as diagnose
from srlab.course.diagrams import diagram as diagram
from srlab.course.exercise import TODO as TODO
from srlab.course.guesses import guess as guess
from srlab.course.quiz import quiz as quiz
from srlab.course.setup import setup as setup
from srlab.course.show import report_metric as report_metric
from srlab.course.show import show_source as show_source
from srlab.course.subjects import split_photo as split_photo
from srlab.course.trained import load_trained as load_trained
