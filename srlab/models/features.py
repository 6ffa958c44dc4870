"""Feature maps of VGG and ResNet, the eyes of a content loss: which layer, with which weights, from where."""

import math
import re
from pathlib import Path

import torch
from torch import nn

from srlab.base import files
from srlab.base.errors import SrlabError
from srlab.models import pretrained as backbones

NETWORKS = ("vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "resnet18", "resnet34", "resnet50")
# Mean and standard deviation of ImageNet's RGB channels in [0, 1]: what torchvision's networks were trained on.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FeatureExtractor(nn.Module):
    """A frozen part of a classification network that turns an image into feature maps.

    Frozen in fact: no parameter takes a gradient, batch norm stays in eval mode whatever `train` is called with,
    and nothing behind the last layer asked for exists.

    Parameters
    ----------
    layers
        The network, then one layer or several, each with an optional weight: ``"vgg19 relu5_4"``,
        ``"vgg19 conv2_2*0.1 conv5_4"``, ``"resnet34 block3"``. ``conv5_4`` is before the activation, ``relu5_4``
        after it; ``pool5`` as well, and ``norm5_4`` where there is batch norm. A ResNet has ``conv1``, ``norm1``,
        ``relu1``, ``pool1``, its blocks counted from 1 through all stages, and ``stage1`` to ``stage4`` (the last
        block of each). ``-stage1`` leaves a stage out (of ResNet18 and 34, whose first stage keeps the width).
    backbone
        Its weights. ``"auto"``: ImageNet's from torch's cache if they are there, else random ones, never a
        download. ``"imagenet"``: the cache or a download. ``"random"``: He's initialisation. Anything else is the path
        of torchvision's state dict, whole or in part. See `srlab.models.pretrained`.
    normalize
        Bring images from [0, 1] to the mean and standard deviation of ImageNet first, as in training.
    scale
        Factor on every map; the SRGAN paper has 1/12.75 for VGG19 (section 3.2, so that its loss is about as large
        as the squared error).
    seed
        Of random weights.

    Attributes
    ----------
    layer_weights : dict
        Layer -> its weight in a loss.
    real : bool
        Whether the weights were trained, as far as one can know; False for random ones.
    label : str
        For figures and tables; names random weights as such.

    Raises
    ------
    SrlabError
        Unknown network or layer (the message lists what there is), a weight that is no positive number, or a
        weights file that is missing, damaged, of another network, or ends before the layer.
    """

    def __init__(
        self,
        layers: str = "vgg19 relu5_4",
        backbone: str | Path = "auto",
        normalize: bool = True,
        scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        network, self.layer_weights, left_out = parse(layers)
        if not (math.isfinite(scale) and scale > 0):
            raise SrlabError(f"The scale of features must be a positive number, but is {scale}.")
        self.normalize, self.scale = normalize, scale
        known = _known_layers(network)
        last_of = {
            _stage_of(theirs): name for name, (theirs, _) in known.items()
        }  # later blocks overwrite earlier ones
        self._names = {name: last_of.get(name, name) for name in self.layer_weights}
        last = max(list(known).index(name) for name in self._names.values())
        kept = [name for name in list(known)[: last + 1] if _stage_of(known[name][0]) not in left_out]
        if not set(self._names.values()) <= set(kept):
            raise SrlabError(f"'{layers}' asks for a layer of a stage that it leaves out.")
        self.layers = nn.ModuleDict({name: known[name][1] for name in kept})
        self.stride = self._measure_stride(network)
        self.layers.to_empty(device="cpu")
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)
        path = None if backbone == "random" else backbones.find_weights(network, backbone)
        self.real = path is not None
        if path is None:
            self._fill_randomly(seed)
        else:
            self._fill_from(path, network, known)
        shown = [network, *(f"-{stage}" for stage in sorted(left_out)), *self.layer_weights]
        self.label = " ".join(shown) + ("" if self.real else " (random)")
        source = f"random, seed {seed}" if path is None else path.name
        self.config = {"layers": layers, "weights": source, "normalize": normalize, "scale": scale}
        self.remedy = backbones.remedy(network)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "FeatureExtractor":
        """Stay in eval mode: the statistics of batch norm belong to the weights."""
        return super().train(False)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the maps of an image.

        Parameters
        ----------
        image
            ``(N, 3, H, W)`` in [0, 1].

        Returns
        -------
        dict
            Layer -> ``(N, C, h, w)``.

        Raises
        ------
        SrlabError
            No RGB batch, or too small to leave a pixel of the last layer's map.
        """
        if image.ndim != 4 or image.shape[1] != 3:
            raise SrlabError(f"Features are of RGB images (N, 3, H, W), but got a tensor {tuple(image.shape)}.")
        if min(image.shape[-2:]) < self.stride:
            height, width = image.shape[-2:]
            raise SrlabError(
                f"A patch of {width}x{height} pixels is too small for {self.label}: it needs {self.stride} a side; "
                "take a larger patch or an earlier layer."
            )
        if self.normalize:
            image = (image - self.mean) / self.std
        return {name: maps * self.scale for name, maps in self._run(image).items()}

    def _run(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        found = {}
        for name, layer in self.layers.items():
            x = layer(x)
            found |= {asked: x for asked, own in self._names.items() if own == name}
        return found

    def _measure_stride(self, network: str) -> int:
        """Image pixels per pixel of the last map, along a side; the layers are still without storage."""
        side = 512
        try:
            maps = self._run(torch.empty(1, 3, side, side, device="meta"))
        except RuntimeError as error:
            raise SrlabError(f"A stage of {network} cannot be left out: the next one expects its channels.") from error
        return side // min(found.shape[-1] for found in maps.values())

    def _fill_randomly(self, seed: int) -> None:
        """Draw weights as He et al. (2015) do, so that the size of the maps stays about the same through the layers.

        In a ResNet each block adds to the size, 100 times as much after 16 blocks; so each adds a 16th of that power.
        """
        generator = torch.Generator().manual_seed(seed)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
        for name, block in self.layers.items():
            if name.startswith("block"):
                nn.init.constant_((block.bn3 if hasattr(block, "bn3") else block.bn2).weight, 16**-0.5)

    def _fill_from(self, path: Path, network: str, known: dict[str, tuple[str, nn.Module]]) -> None:
        weights = backbones.load_weights(path, network)
        if "0.weight" in weights:  # of vgg.features alone, whose names lack that word
            weights = {f"features.{name}": value for name, value in weights.items()}
        everything = [f"{theirs}.{key}" for theirs, layer in known.values() for key in layer.state_dict()]
        strange = [name for name in weights if name not in everything and not name.startswith(("classifier.", "fc."))]
        if strange:  # ResNet34's file has all that ResNet18 asks for, and VGG16's the first layers of VGG19
            raise SrlabError(f"{path} is the file of another network: {network} has no '{strange[0]}'.")
        names = self._file_names(known)
        missing = [theirs for theirs in names.values() if theirs not in weights]
        later = set(everything[everything.index(missing[0]) :]) if missing else set()
        if missing and missing[0] != everything[0] and not later & set(weights):
            order = list(self.layers)
            first = next(own.split(".")[0] for own, theirs in names.items() if theirs == missing[0])
            raise SrlabError(
                f"{path} ends before the layer asked for: of {network} it has weights up to "
                f"{order[order.index(first) - 1]}; choose a layer up to there, or a file with more."
            )
        backbones.fill(self.layers, weights, names, path)

    def _file_names(self, known: dict[str, tuple[str, nn.Module]]) -> dict[str, str]:
        """Name in this network -> name in torchvision's file, without the counter of batch norm.

        Old files lack that counter (num_batches_tracked), and nothing here reads it.
        """
        own = [name for name in self.layers.state_dict() if not name.endswith("num_batches_tracked")]
        return {name: known[name.split(".")[0]][0] + name[name.index(".") :] for name in own}


def export(layers: str, path: str | Path, backbone: str | Path = "auto") -> None:
    """Write the weights that some layers need as a small file: for machines without network.

    Parameters
    ----------
    layers
        As for `FeatureExtractor`.
    path
        The file to write, ``.safetensors``. ``FeatureExtractor(layers, backbone=path)`` takes it, and so does any
        earlier layer; its names are those of torchvision. Its notes say the network, the layers and where the weights
        are from.
    backbone
        Where the weights are from: as for `FeatureExtractor`.

    Raises
    ------
    SrlabError
        No trained weights there, the file exists already or cannot be written, or as for `FeatureExtractor`.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise SrlabError(f"The weights are written as .safetensors, but the file is called {path}; rename it.")
    if path.exists():
        raise SrlabError(f"{path} exists already; delete it or choose another name.")
    features = FeatureExtractor(layers, backbone)
    network = parse(layers)[0]
    if not features.real:
        raise SrlabError(
            f"There are no trained weights of {network} here, and random ones are not worth a file; "
            "take backbone 'imagenet', which downloads them, or the path of a file."
        )
    own = features.layers.state_dict()
    tensors = {theirs: own[name] for name, theirs in features._file_names(_known_layers(network)).items()}
    notes = {"network": network, "last_layer": list(features.layers)[-1], "source": features.config["weights"]}
    files.write_safetensors(path, tensors, notes)


def parse(layers: str) -> tuple[str, dict[str, float], set[str]]:
    """Take apart what `FeatureExtractor` is asked for.

    Parameters
    ----------
    layers
        Such as ``"resnet34 -stage1 block16"`` or ``"vgg19 conv2_2*0.1 conv5_4"``.

    Returns
    -------
    network : str
        In torchvision's spelling.
    layer_weights : dict
        Layer -> weight, 1 where none is given.
    left_out : set
        Stages to skip.

    Raises
    ------
    SrlabError
        Unknown network or layer, no layer at all, or a weight that is not a positive number.
    """
    network, *words = layers.split() or [""]
    if network not in NETWORKS:
        raise SrlabError(f"'{layers}' does not begin with a network; choose one of {', '.join(NETWORKS)}.")
    names = layer_names(network)
    left_out = {word[1:] for word in words if word.startswith("-")}
    asked: dict[str, float] = {}
    for word in words:
        if word.startswith("-"):
            if word[1:] not in names or "stage" not in word:
                raise SrlabError(f"'{word}' in '{layers}' is no stage of {network} that could be left out.")
            continue
        name, _, weight = word.partition("*")
        if name in asked:
            raise SrlabError(f"'{layers}' names {name} twice; give it one weight.")
        if name not in names:
            raise SrlabError(f"{network} has no layer '{name}'; its layers are {', '.join(names)}.")
        try:
            asked[name] = float(weight or 1)
        except ValueError as error:
            raise SrlabError(f"The weight '{weight}' of {name} is no number; write {name}*0.5.") from error
        if not (math.isfinite(asked[name]) and asked[name] > 0):
            raise SrlabError(f"The weight of {name} must be a positive number, but is {asked[name]}.")
    if not asked:
        raise SrlabError(f"'{layers}' names no layer of {network}; its layers are {', '.join(names)}.")
    return network, asked, left_out


def layer_names(network: str) -> list[str]:
    """Names of all layers of a network of `NETWORKS`, in the order of computation; then its stages."""
    known = _known_layers(network)
    return [*known, *sorted({_stage_of(theirs) for theirs, _ in known.values()} - {""})]


def _known_layers(network: str) -> dict[str, tuple[str, nn.Module]]:
    """Layer -> what torchvision calls it, and the module, without storage."""
    from torchvision.models import get_model  # slow to import

    with torch.device("meta"):  # costs neither time nor memory, and the classifier of VGG is large
        whole = get_model(network)
    found: dict[str, tuple[str, nn.Module]] = {}
    if network.startswith("vgg"):
        stage, conv = 1, 0
        for place, layer in enumerate(whole.features):
            conv += isinstance(layer, nn.Conv2d)
            kind = {nn.Conv2d: "conv", nn.BatchNorm2d: "norm", nn.ReLU: "relu", nn.MaxPool2d: "pool"}[type(layer)]
            found[f"pool{stage}" if kind == "pool" else f"{kind}{stage}_{conv}"] = f"features.{place}", layer
            if kind == "pool":
                stage, conv = stage + 1, 0
    else:
        for name, theirs in {"conv1": "conv1", "norm1": "bn1", "relu1": "relu", "pool1": "maxpool"}.items():
            found[name] = theirs, getattr(whole, theirs)
        blocks = [(f"layer{s}.{i}", block) for s in (1, 2, 3, 4) for i, block in enumerate(getattr(whole, f"layer{s}"))]
        found |= {f"block{count}": block for count, block in enumerate(blocks, start=1)}
    # A ReLU that wrote over its input would spoil the map before it.
    return {name: (theirs, nn.ReLU() if isinstance(m, nn.ReLU) else m) for name, (theirs, m) in found.items()}


def _stage_of(torchvision_name: str) -> str:
    match = re.match(r"layer(\d)\.", torchvision_name)
    return f"stage{match[1]}" if match else ""
