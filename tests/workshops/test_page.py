"""Test how networks are kept, and the page that shows them; tests/browser opens the page."""

import json
import re
from html import unescape

import pytest
import torch

import srlab
from srlab.cli.main import main
from srlab.files import RECORD
from srlab_course import workshops
from srlab_course.workshops.page import map_of_guesses
from tests.workshops.tiny import keep_tiny

BICUBIC = "bicubic (usual method)"
GUESSES = [*(f"guess {number}" for number in (1, 2, 3, 4)), "mean of guesses", "where guesses differ"]


@pytest.fixture
def photo(tmp_path):
    """A photo of 300 x 200 pixels, which is cropped to 256 x 192 and downscaled to 64 x 48."""
    image = srlab.bundled_photos("validation")["chelsea"][..., 50:250, 60:360]
    return srlab.write_image(image, tmp_path / "cat & co.png")


def text_of(page):
    """Return the text of a page without scripts, styles and images."""
    scripts = r"<(script|style)>.*?</\1>|<div class=\"srlab-still.*?(?=<script>)"
    html = re.sub(scripts, " ", page.read_text("utf-8"), flags=re.DOTALL)
    return unescape(" ".join(re.sub("<[^>]*>", " ", html).split()))


def labels_of(page):
    """Return the labels of the slider."""
    (found,) = re.findall(r'"labels": (\[.*?\])', page.read_text("utf-8"))
    return json.loads(found)


def test_kept_network_is_that_of_the_student(tmp_path, capsys):
    path = keep_tiny(tmp_path, kinds=["network"])
    assert workshops.kept(path, "network").factor.item() == 1.0
    assert capsys.readouterr().out == "network from you: 1,200 steps in 2.5 minutes, code: mine.py.\n"
    assert {file.name for file in tmp_path.iterdir()} == {"mine.py", "network.pt", "network.json", RECORD}
    assert list(torch.load(tmp_path / "network.pt", weights_only=True)) == ["factor"]
    path.write_text(path.read_text(encoding="utf-8") + "\n# a comment\n", encoding="utf-8")
    workshops.kept(path, "network")
    assert "mine.py has changed since then." in capsys.readouterr().out
    workshops.keep(path, "network", workshops.load(path).Generator(), steps=1200, minutes=0.5, timed=400)
    workshops.kept(path, "network")
    assert "network from you: 1,200 steps, the last 400 in 30 seconds, code" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["network.pt", "network.json"])
def test_file_of_the_student_is_not_replaced(tmp_path, name):
    path = keep_tiny(tmp_path, kinds=[])
    (tmp_path / name).write_text("{}", encoding="utf-8")
    with pytest.raises(srlab.SrlabError, match=f"did not write .*{name}"):
        workshops.keep(path, "network", workshops.load(path).Generator(), steps=1, minutes=1)
    assert [file.name for file in tmp_path.glob("network*")] == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == "{}"


def test_course_replaces_what_is_missing(tmp_path, capsys):
    path = keep_tiny(tmp_path, kinds=[])
    assert type(workshops.kept(path, "gan")) is srlab.MSRResNet
    assert workshops.kept(path, "flow") is None
    out = capsys.readouterr().out
    assert out.startswith("gan from the course (SRGAN), because gan.pt is not there yet.\nflow.pt is not there yet")
    with pytest.raises(srlab.SrlabError, match=r"'net' is not kept\. Use one of network, gan, flow\."):
        workshops.kept(path, "net")


def test_weights_that_do_not_fit(tmp_path):
    path = keep_tiny(tmp_path, kinds=["network"])
    with pytest.raises(srlab.SrlabError, match=r"network\.pt does not fit `Generator\(\)` of mine\.py"):
        workshops.keep(path, "network", torch.nn.Conv2d(3, 3, 3), 1, 1)
    assert len(torch.load(tmp_path / "network.pt", weights_only=True)) == 2  # what was trained is safe anyway
    (tmp_path / "network.pt").write_bytes(b"torn")
    with pytest.raises(srlab.SrlabError, match=r"network\.pt does not fit `Generator\(\)`"):
        workshops.kept(path, "network")
    path.write_text("import torch", encoding="utf-16")
    with pytest.raises(srlab.SrlabError, match=r"mine\.py is not saved in UTF-8"):
        workshops.kept(path, "network")


def test_page_shows_what_was_trained_by_whom_and_how_good_it_is(tmp_path, photo):
    page = workshops.page(keep_tiny(tmp_path), photo, "Ada <3")
    html, text = page.read_text("utf-8"), text_of(page)
    assert page == tmp_path / "page.html"
    assert "<title>Ada &#60;3&#39;s super-resolution network</title>" in html
    assert "Ada <3 trained a small neural network to enlarge photos four times, with code in mine.py." in text
    assert "only 64 × 48 pixels" in text
    made = "for 1,200 steps in 2.5 minutes. It has 1 adjustable numbers."
    score = r"\d+\.\d\d dB{} on this photo \(bicubic: \d+\.\d\d dB\)\. Trained on {}, "
    gravel = "the left half of gravel"
    for what, of, learned in (("network", "", "photos"), ("GAN", "", gravel), ("flow", " for one guess", gravel)):
        assert re.search(rf"Ada <3's {what}: {score.format(of, learned)}{made}", text), what
    assert "The die chooses" in text
    assert re.search(r"Label for the mean of guesses: (none|it trusts \d+% of the pixels)", text)
    assert labels_of(page) == ["small photo", BICUBIC, "Ada <3's network", "Ada <3's GAN", *GUESSES, "original"]
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!data:)[\w/]""", html.replace("image.src = ", ""))
    assert page.stat().st_size < 5e6


def test_map_is_bright_where_guesses_differ_and_black_where_they_agree():
    guesses = torch.full((4, 1, 3, 2, 6), 0.5)
    guesses[:, ..., 3:] += torch.tensor([-8.0, -8.0, 8.0, 8.0]).view(4, 1, 1, 1, 1) / 255
    guesses[0, ..., -1] = 0
    levels = 32 * map_of_guesses(guesses)
    assert levels.shape == (1, 3, 2, 6)
    assert levels[..., :3].max() == 0
    torch.testing.assert_close(levels[..., 3:5], torch.full((1, 3, 2, 2), (4 * 8**2 / 3) ** 0.5))
    assert levels[..., -1].min() == 32  # the most that it shows


def test_photo_is_reduced_or_rejected(tmp_path):
    path = keep_tiny(tmp_path, kinds=["network"])
    photo = srlab.write_image(torch.rand(3, 500, 1100), tmp_path / "large.png")
    page = workshops.page(path, photo)
    assert "only 128 × 48 pixels" in text_of(page)
    assert labels_of(page) == ["small photo", BICUBIC, "my network", "original"]
    assert "I trained a small" in text_of(page)
    for word in ("flow", "GAN"):
        assert word not in text_of(page)
    shown = text_of(page)
    assert text_of(workshops.page(path, srlab.read_image(photo)[None])) == shown
    with pytest.raises(srlab.SrlabError, match=r"tiny\.png is too small or too narrow"):
        workshops.page(path, srlab.write_image(torch.rand(3, 63, 100), tmp_path / "tiny.png"))
    with pytest.raises(srlab.SrlabError, match=r"The photo is too small or too narrow"):
        workshops.page(path, torch.rand(1, 3, 63, 100))


def test_command(tmp_path, photo, monkeypatch, capsys):
    path = keep_tiny(tmp_path, kinds=["network"])
    monkeypatch.chdir(tmp_path)
    command = ["page", str(photo), "--mine", str(path), "--name", "Ada", "-o", "ada.html"]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ada.html"
    assert "Ada's network" in labels_of(tmp_path / "ada.html")
    assert main(command) == 0, "its own page is replaced"
    (tmp_path / "ada.html").write_text("a page of hers", encoding="utf-8")
    assert main(command) == 2
    assert "did not write ada.html" in capsys.readouterr().err
    assert (tmp_path / "ada.html").read_text(encoding="utf-8") == "a page of hers"
    (tmp_path / "ada.html").unlink()
    (tmp_path / "network.pt").unlink()
    assert main(command) == 2
    assert "No network of yours is next to" in capsys.readouterr().err
