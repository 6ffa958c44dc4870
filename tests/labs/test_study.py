"""Test the studies in their smallest size: they run, only claim what they can, and repeat nothing."""

import os
import re
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(find_spec("snakemake") is None, reason="needs Snakemake, in the extra `study`")


@pytest.fixture
def smoke(call, tmp_path):
    """Run a study twice (the second run does nothing); return its folder and the text of its report."""

    def smoke(study):
        command = ("python", "studies/run.py", study, "smoke", "--cores", str(min(2, os.cpu_count())))
        first = call(*command)
        assert first.returncode == 0, first.stdout[-4000:]
        folder = tmp_path / "runs" / "studies" / study / "smoke"
        text = (folder / "RESULTS.md").read_text(encoding="utf-8")
        assert (pictures := re.findall(r"\]\((.+?\.png)\)", text))
        assert all((folder / picture).is_file() for picture in pictures)
        assert "Nothing to be done" in call(*command).stdout
        return folder, text

    return smoke


@pytest.mark.nightly
def test_smoke_study_of_content_losses(smoke):
    folder, text = smoke("content_loss")
    rows = [line for line in text.splitlines() if re.match(r"\| described-\S+-seed0 \| 0[23]_", line)]
    copies = [path.parent.name for path in folder.glob("notebooks/*/run.json")]
    assert sorted(copies) == sorted(row.split()[1] for row in rows)
    assert [sum(what in row for row in rows) for what in ("vgg19 relu5_4 (random)", "no features")] == [1, 1]
    assert "1 random ones, 1 none" in text
    assert not re.search(r"\| (holds|does not hold)", text)


@pytest.mark.nightly
def test_smoke_study_of_tricks(smoke):
    folder, text = smoke("esrdgan_tricks")
    assert "0 rows used trained features, 3 random ones" in text
    assert "There is one seed, so nothing can be claimed." in text
    assert not re.search(r"\*\*[+-]\d|In line with ESRDGAN", text)
    stages = {path.parent.name for path in folder.glob("04_esrgan/*-psnr/run.json")}
    assert stages == {"base-seed0-psnr", "nearest-lr-seed0-psnr"}


def test_unknown_preset(call):
    result = call("python", "studies/run.py", "content_loss", "huge")
    assert result.returncode != 0
    assert result.stdout.startswith("Error: Preset 'huge' not found.")
