"""Try what the labs need before one is opened, for ``srlab doctor`` and ``srlab plan``."""

import ast
from importlib import import_module
from pathlib import Path
from typing import Any

from srlab.models import backbones, compact, realesrgan
from srlab.models.loading import NAMES, load_bundled, load_generator_file
from srlab_course.lab.lab import Lab
from srlab_course.lab.setup import setup
from srlab_course.notebooks.finding import read_saved

IMAGENET = (*backbones.NETWORKS, "alexnet")  # alexnet for LPIPS
WEIGHTS = (*NAMES, compact.NAME, *IMAGENET)  # what `load_weights` accepts


def rehearse(notebook: Path, parameters: dict[str, Any], everything: bool = False) -> Lab:
    """Do what the first cell of a lab does, without downloads: imports, setup and bundled networks."""
    for cell in read_saved(notebook)["cells"]:
        if cell["cell_type"] == "code" and "course.setup(" in cell["source"]:
            _import_like(cell["source"])
    lab = setup(notebook.stem, parameters, dry=True, everything=everything)
    load_bundled()
    return lab


def _import_like(code: str) -> None:
    """Import what the import statements of some code name."""
    for line in ast.parse(code).body:
        if isinstance(line, ast.Import):
            for name in line.names:
                import_module(name.name)
        elif isinstance(line, ast.ImportFrom):
            module = import_module(line.module)
            for name in line.names:
                if not hasattr(module, name.name):
                    import_module(f"{line.module}.{name.name}")


def load_weights(name: str) -> None:
    """Load bundled or published weights; published ones that are not on this computer are optional."""
    if name in IMAGENET:
        if path := backbones.find_weights(name):
            backbones.load_weights(path)
    elif name == compact.NAME:
        if compact.find_compact():
            compact.load_compact()
    elif name != realesrgan.NAME or realesrgan.find_realesrgan():
        load_generator_file(name)
