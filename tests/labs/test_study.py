"""The studies run at their smallest size, say what they may, and do nothing twice."""

import os
import re
from importlib.util import find_spec

import pytest

from .conftest import ROOT

LABS = [ROOT / "notebooks" / f"{name}.ipynb" for name in ("02_content_loss", "03_srgan")]


@pytest.mark.long
@pytest.mark.skipif(find_spec("snakemake") is None, reason="needs Snakemake, in the extra `study`")
@pytest.mark.skipif(not all(lab.is_file() for lab in LABS), reason="needs labs 02 and 03")
def test_smoke_study_ends_in_a_report_and_a_second_call_does_nothing(call, tmp_path):
    command = ("python", "studies/content_loss/run.py", "smoke", "--cores", str(min(2, os.cpu_count())))
    first = call(*command)
    assert first.returncode == 0, first.stdout[-4000:]
    folder = tmp_path / "runs" / "studies" / "content_loss" / "smoke"
    report = folder / "RESULTS.md"
    text = report.read_text()
    rows = [line for line in text.splitlines() if re.match(r"\| described-\S+-seed0 \| 0[23]_", line)]
    assert len(rows) == 3
    copies = [path.parent.name for path in folder.glob("notebooks/*/run.json")]
    assert sorted(copies) == sorted(row.split()[1] for row in rows)
    assert sum("vgg19 relu5_4 (random)" in row for row in rows) == 2
    assert sum("no features" in row for row in rows) == 1
    assert "2 through random ones, 1 through none" in text
    claims = text[text.index("## The study's claims") :]
    for sentence in re.findall(r"^- .+$", claims, re.MULTILINE):
        assert not re.search(r"VGG.*(Res18|Res34|ResNet\d)|(Res18|Res34|ResNet\d).*VGG", sentence), sentence
        assert "holds" not in sentence
    assert [picture for picture in re.findall(r"\]\((.+?\.png)\)", text) if not (folder / picture).is_file()] == []
    before = report.stat().st_mtime_ns
    second = call(*command)
    assert second.returncode == 0, second.stdout[-4000:]
    assert "Nothing to be done" in second.stdout
    assert report.stat().st_mtime_ns == before


@pytest.mark.long
@pytest.mark.skipif(find_spec("snakemake") is None, reason="needs Snakemake, in the extra `study`")
@pytest.mark.skipif(not (ROOT / "notebooks" / "04_esrgan.ipynb").is_file(), reason="needs lab 04")
def test_smoke_study_of_tricks_shares_the_psnr_stage_and_claims_nothing(call, tmp_path):
    command = ("python", "studies/run.py", "esrdgan_tricks", "smoke", "--cores", str(min(2, os.cpu_count())))
    first = call(*command)
    assert first.returncode == 0, first.stdout[-4000:]
    folder = tmp_path / "runs" / "studies" / "esrdgan_tricks" / "smoke"
    report = folder / "RESULTS.md"
    text = report.read_text()
    assert "0 rows looked through trained networks, 3 through random ones" in text
    assert len(re.findall(r"^\| (instance noise|nearest LR) \| .*\(random\) \|$", text, re.MULTILINE)) >= 6
    assert "There is one seed, so nothing can be claimed." in text
    assert not re.search(r"\*\*[+-]\d|In line with ESRDGAN", text)
    assert "### nearest LR: on nearest LR" in text
    assert [picture for picture in re.findall(r"\]\((.+?\.png)\)", text) if not (folder / picture).is_file()] == []
    stages = {path.parent.name for path in folder.glob("04_esrgan/*-psnr/run.json")}
    assert stages == {"base-seed0-psnr", "nearest-lr-seed0-psnr"}
    before = report.stat().st_mtime_ns
    second = call(*command)
    assert second.returncode == 0, second.stdout[-4000:]
    assert "Nothing to be done" in second.stdout
    assert report.stat().st_mtime_ns == before


def test_an_unknown_preset_is_refused_before_anything_starts(call):
    if find_spec("snakemake") is None:
        pytest.skip("needs Snakemake, in the extra `study`")
    result = call("python", "studies/content_loss/run.py", "huge")
    assert result.returncode != 0
    assert result.stdout.startswith("Error: There is no preset 'huge' of the study; choose one of")
    assert "Traceback" not in result.stdout
