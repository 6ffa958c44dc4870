"""The labs of the course, each declared once: the Makefile, tests, figures and lab 05 take them from here.

A new lab is its own files and one entry; ``docs/extending.md`` lists the files. A copy of a lab, or a teacher's own
lab, has no entry. ``python -m srlab_course.labs`` prints which lab waits for which, as rules for make.
"""

from typing import NamedTuple


class Method(NamedTuple):
    """A network that a lab trains, as figures and lab 05 show it.

    Attributes
    ----------
    label
        Name in figures and tables.
    color
        Color in all figures, with a contrast of at least 3 on white, and distinct from the others.
    what
        What lab 05's table of contenders tells about it.
    run
        Name of its run with the lab's recipe.
    """

    label: str
    color: str
    what: str
    run: str = "default"


class CourseLab(NamedTuple):
    """A lab of the course.

    Attributes
    ----------
    name
        File name of the notebook without its ending, also of its recipes, claims and quiz.
    methods
        The networks that it trains; the one that it is about comes first.
    after
        Earlier labs whose runs it uses, so that ``make labs`` executes them first.
    weights
        Files of ``srlab/models/bundled`` that its code loads. With other weights, execute the lab, measure its claims,
        and read its text again.
    """

    name: str
    methods: tuple[Method, ...] = ()
    after: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()


MSRRESNET, SRGAN, VGG6, RRDB, LPIPS = "msrresnet", "srgan", "vgg6", "rrdb", "lpips"

LABS = (
    CourseLab("00_degradation", weights=(MSRRESNET,)),
    CourseLab(
        "01_srresnet",
        methods=(Method("MSRResNet", "#0D4797", "trained for a small MSE (lab 01)"),),
        weights=(MSRRESNET,),
    ),
    CourseLab(
        "02_content_loss",
        methods=(
            Method("content loss", "#A1006A", "trained for features near those of HR (lab 02)"),
            Method("hybrid", "#A36434", "trained for pixels and features near those of HR (lab 02)", "default-hybrid"),
        ),
        after=("01_srresnet",),  # the recipe smoke continues its network
        weights=(MSRRESNET, VGG6),
    ),
    CourseLab(
        "03_srgan",
        methods=(Method("SRGAN", "#D55E00", "trained for pixels, features, and to fool a discriminator (lab 03)"),),
        weights=(MSRRESNET, SRGAN, VGG6),
    ),
    CourseLab(
        "04_esrgan",
        methods=(
            Method("ESRGAN", "#0F9F6A", "a deeper generator and a relativistic discriminator (lab 04)"),
            Method("RRDB", "#2F4A33", "ESRGAN's generator, trained for pixels only (lab 04)", "default-psnr"),
        ),
        after=("03_srgan",),
        weights=(RRDB, SRGAN, VGG6),
    ),
    CourseLab(
        "05_evaluation",
        after=("00_degradation", "01_srresnet", "02_content_loss", "03_srgan", "04_esrgan", "06_flow", "07_one_step"),
        weights=(MSRRESNET, SRGAN, VGG6, LPIPS),
    ),
    CourseLab(
        "06_flow",
        methods=(Method("flow", "#3C005A", "noise moved to an image that fits LR (lab 06)"),),
        after=("03_srgan",),
        weights=(MSRRESNET,),
    ),
    CourseLab(
        "07_one_step",
        methods=(Method("one step", "#CC00CC", "trained to reach the flow's image in one step (lab 07)"),),
        after=("03_srgan", "06_flow"),
        weights=(MSRRESNET,),
    ),
    CourseLab(
        "08_enhance",
        after=("01_srresnet", "02_content_loss", "03_srgan", "04_esrgan", "06_flow", "07_one_step"),
        weights=(MSRRESNET, SRGAN),
    ),
)
METHODS = {method.label: method for lab in LABS for method in lab.methods}


if __name__ == "__main__":
    print(*(f"lab-{lab.name}:lab-{earlier}" for lab in LABS for earlier in lab.after))
