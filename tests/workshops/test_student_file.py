"""Test how a student's file is read, executed and checked, whatever it contains."""

import shutil

import pytest
import torch

import srlab
from srlab_course import workshops
from srlab_course.workshops import own_file
from tests.course.feedback.test_seeding import random_states
from tests.workshops.files import joined

SEEDING = "import random, numpy, torch\nfor seed in (random.seed, numpy.random.seed, torch.manual_seed):\n    seed(1)\n"


def test_check_leaves_all_random_states(tmp_path):
    file, before = tmp_path / "mine.py", random_states()
    file.write_text(SEEDING, encoding="utf-8")
    workshops.check(file, "psnr")
    assert random_states() == before


def test_check_of_a_training_run_repeats(tmp_path, capsys):
    file, printed = tmp_path / "mine.py", set()
    unseeded = joined(1).replace("torch.manual_seed(seed)", "pass")
    unseeded = unseeded.replace("torch.Generator().manual_seed(seed)", "torch.default_generator")
    file.write_text(unseeded, encoding="utf-8")
    for name in ("a.py", "b.py"):
        torch.rand(1)
        workshops.check(file.rename(tmp_path / name), "train")
        file = tmp_path / name
        printed.add(capsys.readouterr().out.partition("\n")[2].replace(name, "mine.py"))
    assert len(printed) == 1
    assert "we seed" in " ".join(printed.pop().split())


def test_file_that_does_not_exist_yet(tmp_path, capsys):
    workshops.check(tmp_path / "mine.py", "pairs")
    assert workshops.written(tmp_path / "mine.py", "load_photos", "psnr") is None
    printed = capsys.readouterr().out
    assert "to do" in printed
    assert "needs load_photos, psnr in mine.py" in printed


def test_folder_of_photos(tmp_path, monkeypatch, home):
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "file"))  # cannot be written, as that of a class hub
    (tmp_path / "file").touch()
    mine = home / "cache" / "bundled_photos" / "camera.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    assert len(list(workshops.photo_folder().iterdir())) == 16
    assert mine.read_bytes() == b"mine"
    assert workshops.photo_folder(str(tmp_path)) == tmp_path
    with pytest.raises(srlab.SrlabError, match=r"none not found\. Correct `images`"):
        workshops.photo_folder("none")


def test_file_that_was_not_saved_since(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(joined(1), encoding="utf-8")
    workshops.check(file, "fit")
    assert "Did you save it?" not in capsys.readouterr().out
    workshops.check(file, "psnr")  # another part of the same file
    assert "Did you save it?" not in capsys.readouterr().out
    workshops.check(file, "fit")
    assert "unchanged since the last check.\nDid you save it?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"import torch\n\nfor k in range(3)\n    pass\n",
            "Line 3 of mine.py is not valid Python: expected ':' (`for k in range(3)`)",
        ),
        ("# Größe\n".encode("cp1252"), "mine.py is not saved in UTF-8, which Python expects."),
        ("# my file\n".encode("utf-16"), "mine.py is not saved in UTF-8, which Python expects."),
        (b"# coding: klingon\n", "mine.py is not saved in UTF-8, which Python expects."),
        (
            b"import argparse\nargparse.ArgumentParser().error('no photo')\n",
            "Line 2 of mine.py calls sys.exit, which would end the notebook",
        ),
    ],
)
def test_file_that_is_not_valid(content, words, tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_bytes(content)
    workshops.check(file, "fit")
    assert workshops.written(file, "fit") is None
    assert " ".join(capsys.readouterr().out.split()).count(words) == 2


def test_kept_network_names_the_line_that_ends_python(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("raise SystemExit\n", encoding="utf-8")
    (tmp_path / "network.pt").touch()
    with pytest.raises(srlab.SrlabError, match=r"Line 1 of mine\.py calls sys\.exit, which would end the notebook"):
        workshops.kept(file, "network")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_encodings_of_python_are_read(encoding, tmp_path):
    (tmp_path / "mine.py").write_text(f"# coding: {encoding}\nSIZE = 'Größe'\n", encoding=encoding)
    assert workshops.load(tmp_path / "mine.py").SIZE == "Größe"


def test_what_a_file_prints_is_below_the_lines_of_the_check(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(
        "def psnr(*_):\n    for k in range(12):\n        print('step', k)\n    raise SystemExit\n", encoding="utf-8"
    )
    workshops.check(file, "psnr")
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("mine.py printed:")
    assert "Line 4 of mine.py calls sys.exit" in " ".join(lines[1:start])
    assert lines[start + 1 :] == [*(f"step {k}" for k in range(10)), "... and 2 more lines"]


def test_new_process_prints_any_character(tmp_path, monkeypatch):
    for name, value in {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}.items():
        monkeypatch.setenv(name, value)  # so that pipes are not in UTF-8, as on Windows
    path = tmp_path / "mine.py"
    path.write_text("print('photo → photo_x4.png ✓')\nraise ValueError('→')\n", encoding="utf-8")
    with pytest.raises(own_file.IncorrectAnswer, match="stopped with ValueError: →"):
        own_file.run_alone(path, "")


def test_new_process_has_no_srlab_and_other_hashes(tmp_path, monkeypatch):
    path = tmp_path / "mine.py"
    path.write_text("SUM = hash('a')\n", encoding="utf-8")
    found = tmp_path / "found.txt"
    own_file.run_alone(path, "open(sys.argv[2], 'w').write(str(mine.SUM))", str(found))
    assert int(found.read_text(encoding="utf-8")) != hash("a")
    path.write_text("import srlab\n", encoding="utf-8")
    with pytest.raises(own_file.IncorrectAnswer, match="without srlab"):
        own_file.run_alone(path, "")
    monkeypatch.setattr(own_file, "LIMIT", 0.5)
    path.write_text("while True: pass\n", encoding="utf-8")
    with pytest.raises(own_file.IncorrectAnswer, match=r"still ran after 0\.5 s"):
        own_file.run_alone(path, "")
    shutil.rmtree(tmp_path)
