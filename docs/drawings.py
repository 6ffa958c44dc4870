"""Draw the diagrams: ``python docs/drawings.py``.

Those of the labs go into ``srlab/course/drawings/``, where `course.drawing` finds them, the others into ``images/``.

To change one, edit its function in ``drawing/``, run this, and look at the file in a browser.
"""

from pathlib import Path

from drawing import course, games, losses, networks

FOLDER = Path(__file__).parents[1] / "srlab" / "course" / "drawings"
DRAWINGS = (
    networks.residual_block,
    networks.srresnet,
    networks.msrresnet,
    networks.pixel_shuffle,
    networks.rrdb,
    losses.vgg_resnet,
    losses.content_loss,
    games.gan_game,
    games.gan_step,
    games.patch_discriminator,
    games.ragan_game,
)

PAGES = Path(__file__).parent / "images"
OF_PAGES = (course.course_map,)

if __name__ == "__main__":
    for folder, drawings in ((FOLDER, DRAWINGS), (PAGES, OF_PAGES)):
        for draw in drawings:
            file = folder / f"{draw.__name__}.svg"
            file.write_text(draw().svg(), encoding="utf-8", newline="\n")
            print(f"{file.relative_to(FOLDER.parents[2])}: {file.stat().st_size / 1000:.0f} kB")
