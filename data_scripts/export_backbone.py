"""Write the weights of a content loss into one small file, for machines without a network.

``python data_scripts/export_backbone.py "vgg19 relu5_4" vgg19.safetensors --backbone imagenet``, and then in the
labs ``backbone = "vgg19.safetensors"``, for these layers and all before them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from srlab.errors import SrlabError
from srlab.files import write_safetensors
from srlab.models.features import FeatureExtractor


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. Errors that the user can fix are one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("layers", metavar="LAYERS", help='a network and its layers, such as "vgg19 relu5_4"')
    parser.add_argument("output", metavar="OUTPUT", type=Path, help="the file to write (.safetensors)")
    parser.add_argument(
        "--backbone",
        default="auto",
        metavar="WEIGHTS",
        help="auto (torch's cache, the default), imagenet (that, or a download), or the path of a state dict",
    )
    options = parser.parse_args(arguments)
    try:
        export(options.layers, options.output, options.backbone)
    except SrlabError as error:
        print(f"export_backbone: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nexport_backbone: stopped; nothing was written.", file=sys.stderr)
        return 130
    print(options.output)
    return 0


def export(layers: str, path: Path, backbone: str | Path = "auto") -> None:
    """Write the weights that some layers need, under the names of torchvision, with notes on where they are from.

    Parameters
    ----------
    layers, backbone
        As for `srlab.FeatureExtractor`, which accepts the file as its `backbone`.
    path
        The file to write, ``.safetensors``.

    Raises
    ------
    SrlabError
        There are no trained weights, the file exists or can't be written, or as for `srlab.FeatureExtractor`.
    """
    if path.suffix != ".safetensors":
        raise SrlabError(f"The weights are written as .safetensors, but the file is called {path}. Rename it.")
    if path.exists():
        raise SrlabError(f"{path} exists already. Delete it, or choose another name.")

    features = FeatureExtractor(layers, backbone)
    network = layers.split()[0]
    if not features.real:
        raise SrlabError(
            f"There are no trained weights of {network} here. Use backbone 'imagenet', which downloads them, or the "
            "path of a file."
        )
    # Not the counter of batch norm, which nothing reads.
    weights = {name: value for name, value in features.network.state_dict().items() if "num_batches" not in name}
    write_safetensors(path, weights, {"network": network, "layers": layers, "source": features.config["weights"]})


if __name__ == "__main__":
    sys.exit(main())
