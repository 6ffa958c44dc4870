"""Test how networks are kept, and the page that shows them; tests/browser opens the page."""

import json
import re

import pytest
import torch

import srlab
from srlab.cli.main import main
from srlab_course import workshops
from srlab_course.workshops.page import map_of_guesses
from tests.workshops.tiny import keep_tiny

BICUBIC = "bicubic (usual method)"
ANSWERS = [*(f"guess {number}" for number in (1, 2, 3, 4)), "mean of guesses", "where guesses differ"]


@pytest.fixture
def photo(tmp_path):
    """A photo of 300 x 200 pixels, which is downscaled to 75 x 50."""
    image = srlab.bundled_photos("validation")["chelsea"][..., 50:250, 60:360]
    return srlab.write_image(image, tmp_path / "cat & co.png")


@pytest.fixture
def quick(monkeypatch):
    """Write no ONNX files, which takes seconds."""
    monkeypatch.setattr(srlab, "export", lambda network, file, **_: file)


def text_of(page):
    """Return the text of a page without scripts, styles and images."""
    scripts = r"<(script|style)>.*?</\1>|<div class=\"srlab-still.*?(?=<script>)"
    html = re.sub(scripts, " ", page.read_text("utf-8"), flags=re.DOTALL)
    return " ".join(re.sub("<[^>]*>", " ", html).split())


def labels_of(page):
    """Return the labels of each slider."""
    return [json.loads(found) for found in re.findall(r'"labels": (\[.*?\])', page.read_text("utf-8"))]


def test_kept_network_is_that_of_the_student(tmp_path, capsys):
    path = keep_tiny(tmp_path, kinds=["network"])
    assert workshops.kept(path, "network").factor.item() == 1.0
    assert capsys.readouterr().out == "network from you: 1,200 steps in 2.5 minutes, code: mine.py.\n"
    assert {file.name for file in tmp_path.iterdir()} == {"mine.py", "network.pt", "network.json"}
    assert list(torch.load(tmp_path / "network.pt", weights_only=True)) == ["factor"]
    path.write_text(path.read_text() + "\n# a comment\n")
    workshops.kept(path, "network")
    assert "mine.py has changed since then." in capsys.readouterr().out


@pytest.mark.usefixtures("quick")
def test_minutes_of_a_resumed_run_are_those_of_its_last_steps(tmp_path, photo, capsys):
    path = keep_tiny(tmp_path, kinds=[])
    workshops.keep(path, "network", workshops.load(path).Generator(), steps=1200, minutes=0.5, timed=400)
    workshops.kept(path, "network")
    assert "network from you: 1,200 steps, the last 400 in 30 seconds, code" in capsys.readouterr().out
    text = text_of(workshops.page(path, photo, "Ada"))
    assert "Ada trained a small neural network to enlarge photos" in text
    assert "Trained for 1,200 steps, the last 400 in 30 seconds (1 adj" in text


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
    assert "<title>Ada &lt;3's super-resolution network</title>" in html
    assert "cat &amp; co.png" in text
    assert "Ada &lt;3 trained a small neural network in 2.5 minutes to enlarge photos four times. Much" in text
    assert "only 75 × 50 pixels" in text
    made = "Trained for 1,200 steps in 2.5 minutes (1 adjustable numbers), with code written by Ada &lt;3 (mine.py)"
    assert text.count(made) == 3
    assert re.search(r"\d+\.\d\d dB on 2 held-out photos\. Bicubic has \d+\.\d\d dB\.", text)
    assert text.count("on the right half of gravel. Bicubic has") == 2
    assert "Ada &lt;3's GAN and Ada &lt;3's flow learned from the left half." in text
    assert "The die chooses" in text
    whole, subject = labels_of(page)
    network, gan = "Ada <3's network", "Ada <3's GAN"
    assert whole == ["small photo", BICUBIC, network, "original"]
    assert subject == ["small photo", BICUBIC, gan, *ANSWERS, network, "original"]
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!data:)[\w/]""", html.replace("image.src = ", ""))
    assert page.stat().st_size < 5e6
    assert (tmp_path / "page-network.onnx").is_file()
    assert (tmp_path / "page-gan.onnx").is_file()


def test_map_is_bright_where_guesses_differ_and_black_where_they_agree():
    answers = torch.full((4, 1, 3, 2, 6), 0.5)
    answers[:, ..., 3:] += torch.tensor([-8.0, -8.0, 8.0, 8.0]).view(4, 1, 1, 1, 1) / 255
    answers[0, ..., -1] = 0
    levels = 32 * map_of_guesses(answers)
    assert levels.shape == (1, 3, 2, 6)
    assert levels[..., :3].max() == 0
    torch.testing.assert_close(levels[..., 3:5], torch.full((1, 3, 2, 2), (4 * 8**2 / 3) ** 0.5))
    assert levels[..., -1].min() == 32  # the most that it shows


@pytest.mark.usefixtures("quick")
def test_small_photo_has_no_scores(tmp_path):
    photo = srlab.write_image(torch.rand(3, 40, 64, generator=torch.Generator().manual_seed(0)), tmp_path / "tiny.png")
    page = workshops.page(keep_tiny(tmp_path, subject=""), photo)
    assert "There is no sharper original, and so no score." in text_of(page)
    whole, flow = labels_of(page)
    assert whole == ["small photo", BICUBIC, "my network", "my GAN"]
    assert flow == ["small photo", BICUBIC, *ANSWERS, "my network", "my GAN"]
    assert '"notes": ["64\\u00d740 pixels, \\u00d74", "", "", ""]' in page.read_text("utf-8")


@pytest.mark.usefixtures("quick")
def test_page_names_the_course_and_what_the_photo_was_used_for(tmp_path):
    photo = srlab.write_image(
        srlab.bundled_photos("train")["rocket"], tmp_path / "0.png"
    )  # the name of a training photo
    page = workshops.page(keep_tiny(tmp_path, kinds=["network"]), photo, "Ada")
    assert "may have learned from this photo" in text_of(page)
    assert labels_of(page)[0] == ["small photo", BICUBIC, "Ada's network", "the course's GAN", "original"]
    assert "Trained by the course on 12 photos" in text_of(page)
    assert "flow" not in text_of(page)
    assert page.stat().st_size < 5e6


@pytest.mark.parametrize("kinds", [None, ()], ids=["without file", "without network"])
def test_page_without_own_network_shows_the_course_s(tmp_path, photo, capsys, kinds):
    path = tmp_path / "mine.py" if kinds is None else keep_tiny(tmp_path, kinds)
    page = workshops.page(path, photo, "Ada")
    assert "mine.py yet, so the page shows the course's." in capsys.readouterr().out
    assert labels_of(page) == [["small photo", BICUBIC, "the course's network", "the course's GAN", "original"]]
    text = text_of(page)
    assert "The course's super-resolution network" in text
    assert "Ada" not in text
    assert "flow" not in text


@pytest.mark.usefixtures("quick")
def test_command(tmp_path, photo, monkeypatch, capsys):
    path = keep_tiny(tmp_path)
    monkeypatch.chdir(tmp_path)
    command = ["page", str(photo), "--mine", str(path), "--name", "Ada", "-o", "ada.html"]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ada.html"
    assert "Ada's network" in labels_of(tmp_path / "ada.html")[0]
    assert main(command) == 2
    assert "already exists" in capsys.readouterr().err
    assert main([*command, "--force", "--mine", "none.py"]) == 0
    assert "next to none.py yet" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["page", str(photo), "--name", "Ada", "--run", "srgan"])
    assert "srlab page: error: unrecognized arguments: --run srgan" in capsys.readouterr().err
