"""Test that the course's answer uses the notebook's other answers, as if it were written in the student's cell."""

from types import SimpleNamespace

import pytest

from srlab_course import TODO, check
from srlab_course.feedback import fallback
from srlab_course.feedback.all_exercises import find


def train_gan(trainer, pretrained, fixed, patches, iters, g_loss, rates, betas, noise, **options):
    return TODO


class Reached(Exception):
    pass


def reach(*_):
    raise Reached


@pytest.mark.parametrize("hers", [True, False])
def test_loop_of_the_course_builds_the_discriminator_of_the_notebook(hers, monkeypatch, capsys):
    ours = check("srgan.train_gan", train_gan)
    names = {"PatchDiscriminator": reach} if hers else {"noise": reach, "copy": reach}
    monkeypatch.setattr(fallback, "running_shell", lambda: SimpleNamespace(user_ns=names))
    scene, *_ = find("srgan.train_gan").cases.values()
    trainer, *data = scene()
    arguments = (trainer, *data, lambda sr, hr, discriminator: sr.mean(), (1e-3, 1e-3), (0.5, 0.9), 0.1)
    if hers:
        with pytest.raises(Reached):
            ours(*arguments)
    else:
        ours(*arguments)
        assert issubclass(type(trainer.prepared["discriminator"]), find("srgan.PatchDiscriminator").reference)


class RRDBNet:
    def __init__(self):
        return TODO


def test_network_of_the_course_consists_of_the_blocks_of_the_notebook(monkeypatch, capsys):
    class RRDB(find("esrgan.RRDB").reference):
        pass

    monkeypatch.setattr(fallback, "running_shell", lambda: SimpleNamespace(user_ns={"RRDB": RRDB}))
    ours = check("esrgan.RRDBNet", RRDBNet)
    assert [type(block) for block in ours(2, 6, 4).body] == [RRDB, RRDB]
    assert ours.forward is find("esrgan.RRDBNet").reference.forward
