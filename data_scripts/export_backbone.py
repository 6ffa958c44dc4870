"""Write the weights of a content loss into one small file, for offline machines.

``python data_scripts/export_backbone.py "vgg19 relu5_4" vgg19.safetensors --backbone imagenet``. Then set ``backbone =
"vgg19.safetensors"`` in the labs, for these layers and all layers before them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from srlab.errors import SrlabError
from srlab.models.features import FeatureExtractor
from srlab.tensor_files import write_safetensors


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code. Errors that the user can fix are one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("layers", metavar="LAYERS", help='network and layers, such as "vgg19 relu5_4"')
    parser.add_argument("output", metavar="OUTPUT", type=Path, help="output file (.safetensors)")
    parser.add_argument(
        "--backbone",
        default="auto",
        metavar="WEIGHTS",
        help="auto (torch's cache), imagenet (downloads if needed), or path of a state dict (default: auto)",
    )
    options = parser.parse_args(arguments)
    try:
        export(options.layers, options.output, options.backbone)
    except SrlabError as error:
        print(f"export_backbone: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nexport_backbone: stopped. Nothing was written.", file=sys.stderr)
        return 130
    print(options.output)
    return 0


def export(layers: str, path: Path, backbone: str | Path = "auto") -> None:
    """Write the weights that the layers need, with torchvision's names and a note about their source.

    Parameters
    ----------
    layers, backbone
        As for `srlab.FeatureExtractor`, which accepts the file as its `backbone`.
    path
        Output file, ``.safetensors``.

    Raises
    ------
    SrlabError
        Trained weights are missing, the file exists or cannot be written, or as for `srlab.FeatureExtractor`.
    """
    if path.suffix != ".safetensors":
        raise SrlabError(f"The output file must end in .safetensors, but it is {path}. Use another name.")
    if path.exists():
        raise SrlabError(f"{path} exists already. Delete it, or use another name.")

    features = FeatureExtractor(layers, backbone)
    network = layers.split()[0]
    if not features.real:
        raise SrlabError(
            f"No trained weights of {network} found. Use --backbone imagenet to download them, or pass the path of a "
            "file."
        )
    # The counters of batch norm are left out because nothing reads them.
    weights = {name: value for name, value in features.network.state_dict().items() if "num_batches" not in name}
    write_safetensors(path, weights, {"network": network, "layers": layers, "source": features.config["weights"]})


if __name__ == "__main__":
    sys.exit(main())
