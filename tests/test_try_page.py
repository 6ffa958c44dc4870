"""Test the download and the noise of the page that upscales photos; tests/browser tests the page."""

import json
import shutil
import subprocess

import pytest
import torch

from srlab.errors import SrlabError
from srlab.models.noise import noise_at
from tests.conftest import ROOT, load_script


def test_download_with_another_hash_is_rejected(tmp_path, monkeypatch):
    script = load_script(ROOT / "docs" / "book" / "try_page.py")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / f"{script.PACKAGE.replace('@', '-')}.tgz").write_bytes(b"something else")
    with pytest.raises(SrlabError, match="its hash is sha512-"):
        script.build(tmp_path / "try")


@pytest.mark.parametrize("seed", [1, 2**40 + 5])
def test_noise_of_the_page_is_that_of_srlab(tmp_path, seed):
    if not (node := shutil.which("node")):
        pytest.skip("needs Node.js")
    module = tmp_path / "noise.mjs"  # the ending makes it a module
    shutil.copy(ROOT / "docs" / "book" / "try" / "noise.js", module)
    code = f"import {{ noiseAt }} from {json.dumps(module.as_uri())}; console.log(JSON.stringify([...noiseAt("
    code += f"{seed}, 1000, 70, 9, 5)]))"
    done = subprocess.run([node, "--input-type=module", "-e", code], capture_output=True, text=True, check=True)
    found = torch.tensor(json.loads(done.stdout)).view(3, 5, 9)
    torch.testing.assert_close(found, noise_at(70 + torch.arange(5), 1000 + torch.arange(9), seed), atol=1e-5, rtol=0)
