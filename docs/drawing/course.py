"""The drawing of the whole course."""

import itertools

from drawing.pen import Drawing

ROWS = (
    (
        "What is lost when a photo gets\nsmall? Who can bring it back?",
        "00",
        "degradation",
        "squared error,\nfor a single layer",
        "PSNR",
    ),
    (
        "Why does the best network by\nPSNR iron out fur and gravel?",
        "01",
        "SRResNet",
        "squared error (MSE);\nabsolute error (L1)",
        "PSNR:\ngain over bicubic",
    ),
    (
        "What if the loss compares\nwhat a network sees?",
        "02",
        "content loss",
        "distance of\nfeature maps, φ",
        "PSNR,\ncolour shift",
    ),
    (
        "Can a second network teach\nwhat photos look like?",
        "03",
        "SRGAN",
        "pixels, content\nand −log D(sr)",
        "PSNR, and\nwhat D says",
    ),
    (
        "What do depth, a fairer\ngame and scale add?",
        "04",
        "ESRGAN",
        "L1, content loss and\nrelativistic average",
        "PSNR, and votes for\nlooks and nearness",
    ),
    (
        "Which one is better,\nand who says so?",
        "05",
        "evaluation",
        "none new:\nit judges them all",
        "protocols, patch\ndistance, votes",
    ),
)


def course_map() -> Drawing:
    """A row for each lab: its question, its loss, its metric."""
    d = Drawing(
        640,
        "The map of the course",
        "Six rows, one for each lab, and four columns: question, lab, loss, metric. "
        + " ".join(
            f"Lab {number}, {name}: {question} Loss: {loss}. Metric: {metric}."
            for question, number, name, loss, metric in ROWS
        )
        + " Each lab leads to the next one.",
    )
    columns = (("question", 136), ("lab", 357), ("loss", 573), ("metric", 793))
    for name, middle in columns:
        d.label(middle, 30, name, font_weight="bold")
    labs = []
    for place, (question, number, name, loss, metric) in enumerate(ROWS):
        y = 50 + 98 * place
        asked = d.box(16, y, 240, 68, question, "plain", size=16)
        lab = d.box(286, y, 142, 68, number, "maps", name)
        trained = d.box(472, y, 202, 68, loss, "loss" if place not in (0, 5) else "fixed", size=16)
        seen = d.box(704, y, 180, 68, metric, "fixed", size=16)
        d.chain(asked, lab, trained, seen)
        labs.append(lab)
    for one, two in itertools.pairwise(labs):
        d.arrow(one.bottom, two.top)
    return d
