"""Stand-ins for the package with Real-ESRGAN's weights."""

import torch

from srlab.models import realesrgan


def write_package(folder, file, data, monkeypatch):
    """Write a package that Python finds, with a weights file; the authors' file is missing. Return the file's path."""
    path = folder / "packages" / realesrgan.PACKAGE.replace("-", "_") / "models" / file
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    (path.parents[1] / "__init__.py").write_text("raise AssertionError('nothing of it is imported')")
    monkeypatch.syspath_prepend(folder / "packages")
    monkeypatch.setenv("SRLAB_DATA", str(folder / "data"))
    return path


def same(found, wanted):
    """Return whether two networks have equal weights."""
    theirs = wanted.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in found.state_dict().items())
