"""Test that a diagram has an alternative text."""

import re
from html import unescape
from xml.etree import ElementTree

import srlab_course as course
from srlab_course.figures.diagrams import FOLDER
from tests.conftest import replace_display


def test_diagram_has_alternative_text(monkeypatch):
    shown = []
    replace_display(monkeypatch, lambda data, raw: shown.append(data))
    assert course.diagram("gan_step") is None
    alt = ElementTree.parse(FOLDER / "gan_step.svg").getroot()[1].text
    assert shown[0]["text/plain"] == alt
    assert unescape(re.search('alt="(.*?)"', shown[0]["text/html"])[1]) == alt
