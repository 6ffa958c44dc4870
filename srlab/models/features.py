"""Extract feature maps of VGG and ResNet for a content loss."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from srlab.errors import SrlabError
from srlab.models import backbones

# Channels of the two convolutions of each stage of vgg6, the course-trained network with 101,720 weights.
WIDTHS = (24, 48, 64)
# Mean and standard deviation of ImageNet's RGB channels in [0, 1], which all these networks were trained on.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FeatureExtractor(nn.Module):
    """A frozen part of a classification network that turns an image into feature maps.

    No parameter has a gradient, batch norm stays in eval mode even after ``train()``, and layers after the last
    requested one are removed.

    Parameters
    ----------
    layers
        The network, then one or more layers: ``"vgg19 relu5_4"``, ``"vgg19 conv2_2 conv5_4"``, ``"resnet34 block3"``.
        In a VGG, ``conv5_4`` is before the activation and ``relu5_4`` after it; there are also ``pool5`` and, with
        batch norm, ``norm5_4``. A ResNet has ``conv1``, ``norm1``, ``relu1``, ``pool1``, its blocks counted from 1
        through all stages, and ``stage1`` to ``stage4`` (the last block of each). ``vgg6`` is the small course-trained
        network, with layers up to ``relu3_2`` (``models/bundled/README.md``).
    backbone
        ``"auto"``: ImageNet weights if they are in torch's cache, otherwise random ones; for ``vgg6`` the bundled
        weights. ``"imagenet"``: the same, downloaded if necessary. ``"random"``: He initialization. Anything else is
        the path of a torchvision state dict, complete or partial.
    normalize
        Normalize images in [0, 1] with the mean and standard deviation of ImageNet, as in training.
    seed
        Random seed for random weights.

    Attributes
    ----------
    real : bool
        False for random weights.
    label : str
        Label for figures and tables, which marks random and course-trained weights.
    config : dict
        Entry for the manifest of a run.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        layers: str = "vgg19 relu5_4",
        backbone: str | Path = "auto",
        normalize: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        network, self.layers = parse(layers)
        self.normalize = normalize
        whole, places = _outline(network)
        self._places = {layer: places[layer] for layer in self.layers}
        self.network = _cut(whole, set(self._places.values()))
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)
        path = None if backbone == "random" else backbones.find_weights(network, backbone)
        self.network.to_empty(device="cpu")
        if path is None:
            _fill_randomly(self.network, seed)
        else:
            _fill_from(path, self.network, network)
        self.real = path is not None
        whose = (" (course-trained)" if network == backbones.OWN else "") if self.real else " (random)"
        self.label = " ".join([network, *self.layers]) + whose
        source = path.name if path else f"random, seed {seed}"
        self.config = {"layers": layers, "weights": source, "normalize": normalize}
        if self.real:  # files with the same name may have different weights
            self.config["weights_sha256"] = _hash(self.network)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "FeatureExtractor":
        """Stay in eval mode, because the statistics of batch norm belong to the weights."""
        return super().train(False)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the maps of images ``(N, 3, H, W)`` in [0, 1]: layer -> ``(N, C, h, w)``."""
        if self.normalize:
            image = (image - self.mean) / self.std
        maps = self.network(image)
        return {layer: maps[place] for layer, place in self._places.items()}


def parse(layers: str) -> tuple[str, list[str]]:
    """Return the network and the layers for a `FeatureExtractor`."""
    network, *asked = layers.split() or [""]
    if network not in backbones.NETWORKS:
        raise SrlabError(f"'{layers}' does not start with a network. Use one of {', '.join(backbones.NETWORKS)}.")
    _, places = _outline(network)
    if strange := [name for name in asked if name not in places]:
        raise SrlabError(f"{network} has no layer '{strange[0]}'. Use one of {', '.join(places)}.")
    if not asked:
        raise SrlabError(f"'{layers}' does not name a layer of {network}. Use one of {', '.join(places)}.")
    return network, asked


def _hash(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        if "num_batches" not in name:
            digest.update(name.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def layer_names(network: str) -> list[str]:
    """Return the names of all layers of a network, in the order of computation, then the stages of a ResNet."""
    return list(_outline(network)[1])


def _outline(network: str) -> tuple[Any, dict[str, str]]:
    """Return a whole network without storage, and the name of each of its layers in torchvision."""
    from torchvision.models import get_model  # importing torchvision costs a second

    with torch.device("meta"):  # costs neither time nor memory, and the classifier of VGG is large
        whole: Any = BUILDERS[network]() if network in BUILDERS else get_model(network)
    places = {}
    if network.startswith("vgg"):
        kinds = {nn.Conv2d: "conv", nn.BatchNorm2d: "norm", nn.ReLU: "relu"}
        stage, conv = 1, 0
        for number, layer in enumerate(whole.features):
            if isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)):
                places[f"pool{stage}"] = f"features.{number}"
                stage, conv = stage + 1, 0
            else:
                conv += isinstance(layer, nn.Conv2d)
                places[f"{kinds[type(layer)]}{stage}_{conv}"] = f"features.{number}"
    else:
        places = {"conv1": "conv1", "norm1": "bn1", "relu1": "relu", "pool1": "maxpool"}
        blocks = [f"layer{s}.{block}" for s in (1, 2, 3, 4) for block in range(len(getattr(whole, f"layer{s}")))]
        places |= {f"block{number}": place for number, place in enumerate(blocks, start=1)}
        places |= {f"stage{place[len('layer')]}": place for place in blocks}  # the last block of each stays
    return whole, places


def _vgg6() -> nn.Module:
    """Build three stages of two 3x3 convolutions each, with average pooling between, smoother than max pooling."""
    layers, channels = nn.Sequential(), 3
    for width in WIDTHS:
        if layers:
            layers.append(nn.AvgPool2d(2))
        for inputs in (channels, width):
            layers.extend([nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()])
        channels = width
    return nn.Sequential(OrderedDict(features=layers))


# Networks that torchvision does not have: name -> function that builds one, with the layer names of a VGG or a ResNet.
BUILDERS: dict[str, Callable[[], nn.Module]] = {backbones.OWN: _vgg6}


def _cut(whole: nn.Module, places: set[str]) -> nn.Module:
    """Return the part of a network that leads to these places, as a network that returns their maps."""
    from torchvision.models.feature_extraction import create_feature_extractor  # importing torchvision costs a second

    for module in whole.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # else it would overwrite the map before it
    return create_feature_extractor(whole, sorted(places))


def _fill_randomly(network: nn.Module, seed: int) -> None:
    """Draw weights as in He et al. (2015), so that the scale of the maps stays about the same from layer to layer.

    In a ResNet each block adds its branch to the sum, which grows about 100 times in 16 blocks. So the last batch norm
    of each block starts at 1/4, which divides the variance of the branch by 16.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    for block in network.modules():
        last = getattr(block, "bn3", getattr(block, "bn2", None))
        if isinstance(last, nn.BatchNorm2d):
            nn.init.constant_(last.weight, 16**-0.5)


def _fill_from(path: Path, part: nn.Module, network: str) -> None:
    """Load the weights for a part of a network; the file may contain other parts of it, but no other network."""
    weights = backbones.load_weights(path, network)
    whole, places = _outline(network)
    # ResNet34's file also has all names in ResNet18, and VGG16's has those of the first layers of VGG19.
    if strange := sorted(set(weights) - set(whole.state_dict())):
        raise SrlabError(f"{path} is the file of another network: {network} has no '{strange[0]}'.")
    names = [name for name in part.state_dict() if "num_batches" not in name]
    there = [layer for layer, place in places.items() if any(name.startswith(f"{place}.") for name in weights)]
    if there and (missing := set(names) - set(weights)):
        raise SrlabError(
            f"{path} lacks '{min(missing)}' of {network}, and the last layer it has is {there[-1]}. "
            "Use an earlier layer, or a file with more layers."
        )
    backbones.fill(part, weights, path)
