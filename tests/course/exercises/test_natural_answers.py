"""Test natural wrong answers: mistakes in a form of their own, and what exercises observe without a listed one."""

import inspect

import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.exercise import IncorrectAnswer
from srlab_course.feedback.exercise_text import build_answer
from srlab_course.feedback.judging import judge

COPY = "copy.deepcopy(generator.state_dict())"
ON_HR = ("lr, hr, d_loss", "lr, hr + noise * torch.randn_like(hr), d_loss")
OWN_SCALE = [(", residual_scale: float = 0.2", ""), ("= residual_scale", "= 0.2")]
IN_FORWARD = "        self.conv = nn.Conv2d(features.shape[1], features.shape[1], 3, padding=1)\n        x = features"
reference = {name: find(name).reference for name in ("srresnet.training_pairs", "evaluation.score_all")}


def of_psnr(formula):
    """Return an answer to lab 00's PSNR in float64, from a formula of the cropped errors."""
    return lambda sr, hr, crop: formula(
        (sr - hr).double()[..., crop or None : -crop or None, crop or None : -crop or None]
    )


def small_ceiling(sr, hr, crop):
    error = F.pad(sr - hr, [-crop] * 4)
    return -10 * (error.square().mean((1, 2, 3)) + 1e-8).log10()


def several_steps(sr, lr, down, up):
    for _ in range(7):
        sr = sr + up(lr - down(sr))
    return sr


def upside_down(photo, scale, side, places):
    low, high = reference["srresnet.training_pairs"](photo, scale, side, [(y, x, False) for y, x, _ in places])
    turned = [mirror for _, _, mirror in places]
    low[turned], high[turned] = low[turned].flip(-2), high[turned].flip(-2)
    return low, high


def same_place(photo, scale, side, places):
    places = [(*places[0][:2], mirror) for _, _, mirror in places]
    return reference["srresnet.training_pairs"](photo, scale, side, places)


def methods_outside(upscalers, photos, score):
    made, scores = reference["evaluation.score_all"](upscalers, photos, score)
    return made, {method: {photo: row[method] for photo, row in scores.items()} for method in upscalers}


def negated(upscalers, photos, score):
    return reference["evaluation.score_all"](upscalers, photos, lambda *given: -score(*given))


@pytest.mark.parametrize(
    ("name", "answer", "phrase"),
    [
        ("esrgan.DenseBlock", OWN_SCALE, "needs a third argument, residual_scale"),
        (
            "degradation.psnr",
            of_psnr(lambda error: -10 * error.square().mean((2, 3)).log10()),
            "Which dimensions does your mean run over?",
        ),
        ("degradation.psnr", of_psnr(lambda error: -10 * error.square().mean((1, 2, 3)).log()), "counts powers of ten"),
        (
            "degradation.psnr",
            of_psnr(lambda error: -20 * error.square().mean((1, 2, 3)).log10()),
            "factor is 20 for a root",
        ),
        ("flow.FlowNet", [("nn.ModuleList(", "list(")], "plain Python list"),
        ("srgan.train_gan", [ON_HR], "Only D should see it"),
        (
            "srgan.train_gan",
            [("noisy_discriminator, g_optimizer", "discriminator, g_optimizer"), ON_HR],
            "Only D should see it",
        ),
        ("srresnet.fit", [(COPY, COPY.removeprefix("copy.deepcopy(").removesuffix(")"))], "were they a copy?"),
        ("srresnet.Tail", [("nn.ModuleList(", "list(")], "plain Python list"),
        ("srresnet.Tail", [("        x = features", IN_FORWARD)], "create layers in forward"),
        ("content_loss.ContentLoss", [(".requires_grad_(False).eval()", "")], "still get a gradient"),
        ("degradation.psnr", small_ceiling, "PSNR is 60 dB, but you get 59.96"),
        ("degradation.back_project", lambda sr, lr, down, up: sr + up(lr), "never call `down`"),
        ("degradation.back_project", lambda sr, lr, down, up: sr + up(lr - F.interpolate(sr, lr.shape[-2:])), "`down`"),
        (
            "degradation.back_project",
            lambda sr, lr, down, up: sr + F.interpolate(lr - down(sr), sr.shape[-2:]),
            "never call `up`",
        ),
        ("degradation.back_project", lambda sr, lr, down, up: sr + 0.3 * up(lr - down(sr)), "missing 0.3 times"),
        ("degradation.back_project", several_steps, "several steps"),
        ("srresnet.training_pairs", upside_down, "['upside down', 'upside down']"),
        ("srresnet.training_pairs", same_place, "aren't at `top` and `left`"),
        ("evaluation.score_all", methods_outside, "scores have the keys inverted, nearest"),
        ("evaluation.score_all", negated, "your scores aren't those"),
        (
            "evaluation.lr_consistency",
            lambda sr, lr, shrink: srlab.psnr(F.interpolate(sr, lr.shape[-2:]), lr, srlab.Protocol("rgb", 0))[0],
            "never call `shrink`",
        ),
        ("evaluation.bootstrap", lambda x, y, *_: torch.quantile(x - y, torch.tensor([0.1, 0.9])), "the interval"),
    ],
)
def test_natural_answer_gets_its_hint(name, answer, phrase):
    exercise = find(name)
    if isinstance(answer, list):  # changes of the reference
        source = inspect.getsource(exercise.reference)
        for old, new in answer:
            assert old in source
            source = source.replace(old, new)
        answer = build_answer(source, exercise.reference)
    with pytest.raises(IncorrectAnswer) as error:
        list(judge(exercise, answer))
    assert phrase in " ".join(str(error.value).split())
