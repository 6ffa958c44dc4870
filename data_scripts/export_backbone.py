"""Write the weights of a content loss as one small file, for a classroom without network.

``python data_scripts/export_backbone.py "vgg19 relu5_4" --backbone imagenet vgg19.safetensors``, and then in the
labs ``backbone = "vgg19.safetensors"``.
"""

import argparse
import sys
from collections.abc import Sequence

from srlab.base.errors import SrlabError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. Errors that the user can put right are one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("layers", metavar="LAYERS", help='a network and its layers, such as "vgg19 relu5_4"')
    parser.add_argument("output", metavar="OUTPUT", help="the file to write (.safetensors)")
    parser.add_argument(
        "--backbone",
        default="auto",
        metavar="WEIGHTS",
        help="auto (torch's cache, the default), imagenet (that, or a download), or the path of a state dict",
    )
    options = parser.parse_args(arguments)
    from srlab.models.features import export  # slow to import

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


if __name__ == "__main__":
    sys.exit(main())
