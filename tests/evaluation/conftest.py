"""Provide weights for metrics with a network, or an empty cache."""

import pytest
import torch
from torchvision.models import alexnet

from srlab.evaluation.perceptual import load_lpips


@pytest.fixture(scope="session")
def backbone() -> dict[str, torch.Tensor]:
    """Return random weights for torchvision's AlexNet without its classifier, only to exercise the code."""
    with torch.device("meta"):  # no test needs the 55 million weights of the classifier
        shapes = {name: value.shape for name, value in alexnet(weights=None).features.state_dict().items()}
    random = torch.Generator().manual_seed(0)
    return {f"features.{name}": 0.02 * torch.randn(shape, generator=random) for name, shape in shapes.items()}


@pytest.fixture(scope="session")
def backbone_file(backbone, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    torch.save(backbone, path)
    return path


@pytest.fixture(scope="session")
def weights(backbone_file):
    """Return a weights file for each metric with a network."""
    return {"lpips": backbone_file}


@pytest.fixture(scope="session")
def network(backbone_file):
    return load_lpips(backbone_file)


@pytest.fixture(autouse=True)
def _no_weights(hub, no_download):
    """Set up an empty torch cache without downloads."""
