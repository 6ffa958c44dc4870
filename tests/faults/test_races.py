"""Two processes at once."""

import sys

import pytest
from PIL import Image

from srlab.base.errors import SrlabError
from srlab.data.resampling import upsample
from srlab.inference.photo import upscale_file

from .fault import KILLS, fault
from .kills import Life, context
from .little_run import little_run, what_is_left

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the processes are forked, which Windows cannot")
TIMES = max(2, KILLS // 3)
SETTINGS = {"tile": 8, "overlap": 4, "progress": False}
PATIENCE = 20  # seconds that a process waits for the other one, if there is a bug


def train(say, start, refused):
    """The one that holds the run waits within its first step until the other one was refused."""
    little = little_run()
    step = little.step

    def patient_step(lr, hr):
        assert refused.wait(PATIENCE), "nobody was refused"
        return step(lr, hr)

    little.step = patient_step
    start.wait(PATIENCE)
    try:
        little.fit(2)
    except SrlabError as error:
        refused.set()
        say(str(error))
    else:
        say("trained")


def train_alone(say):
    little_run().fit(2)


@fault("two processes start the same run at once", "one trains, the other is refused with a sentence; same bytes")
def test_of_two_processes_one_trains_and_the_other_is_refused(tmp_path, monkeypatch, record_property):
    record_property("times", TIMES)
    assert Life(train_alone).end() == 0
    expected = what_is_left()
    for number in range(TIMES):
        monkeypatch.setenv("SRLAB_HOME", str(tmp_path / str(number)))
        start, refused = context().Barrier(2), context().Event()
        lives = [Life(train, start, refused) for _ in range(2)]
        assert [life.end() for life in lives] == [0, 0], [life.said for life in lives]
        winner, loser = sorted((life.said for life in lives), key=lambda said: said != ["trained"])
        assert winner == ["trained"]
        assert len(loser) == 1
        assert "is in use by another process; wait for it, or choose another run name." in loser[0]
        assert what_is_left() == expected


def enlarge(say, start, source, target, method, force):
    start.wait(PATIENCE)
    upscale_file(source, target, lambda lr: upsample(lr, 2, method), 2, force=force, **SETTINGS)
    say("written")


@pytest.mark.parametrize("force", [False, True])
@fault("two processes upscale into the same file at once", "the whole file of one of them, and no part of a file")
def test_of_two_processes_that_upscale_into_one_file_one_leaves_it_whole(tmp_path, record_property, force, astronaut):
    record_property("times", TIMES)
    source = tmp_path / "lr.png"
    Image.fromarray((astronaut[0, :, 100:130, 200:240] * 255).byte().permute(1, 2, 0).numpy()).save(source)
    methods = ("nearest", "bilinear")
    whole = []
    for method in methods:
        made = upscale_file(
            source, tmp_path / f"{method}.png", lambda lr, by=method: upsample(lr, 2, by), 2, **SETTINGS
        )
        whole.append(made.read_bytes())
    for number in range(TIMES):
        target, start = tmp_path / str(number) / "sr.png", context().Barrier(2)
        lives = [Life(enlarge, start, source, target, method, force) for method in methods]
        codes = [life.end() for life in lives]
        assert target.read_bytes() in whole
        assert [file.name for file in target.parent.iterdir()] == ["sr.png"]
        for life, code in zip(lives, codes, strict=True):
            if code == 0:
                assert life.said == ["written"]
            else:
                assert (code, force) == (2, False)
                assert "sr.png exists already; choose another name" in life.said[-1]
        assert 0 in codes
