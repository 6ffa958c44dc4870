"""srlab: the thin helper package of the super-resolution course.

Importing it costs almost nothing: a name is looked up in its module when it is first used (PEP 562).
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# public name -> module that defines it
_NAMES = {
    "Degradation": "degradation",
    "downsample": "resampling",
    "resize": "resampling",
    "upsample": "resampling",
    "ImageSet": "datasets",
    "PatchSampler": "patches",
    "SRResNet": "models",
    "MSRResNet": "models",
    "RRDBNet": "models",
    "Features": "features",
    "PatchDiscriminator": "models",
    "SRGANDiscriminator": "models",
    "VGGDiscriminator": "models",
    "frozen": "models",
    "interpolate": "models",
    "parameter_count": "models",
    "Trainer": "training",
    "TrainingStopped": "interrupts",
    "Milestones": "schedules",
    "OneCycle": "schedules",
    "Run": "runs",
    "diagnose": "diagnosis",
    "load_generator": "runs",
    "Protocol": "metrics",
    "psnr": "metrics",
    "ssim": "metrics",
    "ms_ssim": "metrics",
    "score": "evaluation",
    "evaluate": "evaluation",
    "summarize": "evaluation",
    "load_upscalers": "evaluation",
    "save_table": "tables",
    "perception_distortion": "perception_plot",
    "upscale": "inference",
    "overlap_errors": "overlap",
    "upscale_file": "photo",
    "upscale_folder": "photo",
    "luma": "images",
    "mod_crop": "images",
    "quantize": "images",
    "read_image": "images",
    "write_image": "images",
    "compare": "comparison",
    "compare_live": "comparison.live",
    "contact_sheet": "comparison.sheet",
    "SrlabError": "errors",
    "TODO": "exercises",
    "check": "exercises",
    "setup": "lab",
    "show": "lab",
    "headline": "lab",
}
_MODULES = (
    "archives",
    "backbones",
    "bands",
    "ballot_view",
    "cache",
    "catalog",
    "checkpoints",
    "comparison",
    "compiling",
    "datasets",
    "degradation",
    "devices",
    "diagnosis",
    "disk",
    "doctor_command",
    "downloads",
    "errors",
    "evaluate_command",
    "evaluation",
    "exercises",
    "features",
    "fetching",
    "files",
    "gan_monitor",
    "images",
    "inference",
    "interrupts",
    "kit_wheels",
    "kits",
    "lab",
    "literal",
    "losses",
    "metrics",
    "mirror",
    "models",
    "opinions",
    "overlap",
    "pairs",
    "parallel",
    "patches",
    "perception",
    "perception_plot",
    "photo",
    "photo_crops",
    "photo_files",
    "photo_sources",
    "plots",
    "preparation",
    "prepared",
    "probes",
    "progress_command",
    "recipes",
    "resampling",
    "runs",
    "schedules",
    "shipped",
    "solutions_command",
    "symptoms",
    "tables",
    "tiles",
    "training",
    "upscale_command",
)

__all__ = sorted([*_NAMES, *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"srlab.{name}")
    if name in _NAMES:
        return getattr(import_module(f"srlab.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'srlab' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
