"""Test wrong answers as one types them most naturally, which were once not recognized."""

import inspect
from pathlib import Path

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab_course.feedback.all_exercises import find
from srlab_course.feedback.exercise import IncorrectAnswer
from srlab_course.feedback.exercise_text import build_answer
from srlab_course.feedback.judging import judge

COPY = "copy.deepcopy(generator.state_dict())"
ON_HR = ("lr, hr, d_loss", "lr, hr + noise * torch.randn_like(hr), d_loss")
IN_FORWARD = "        self.conv = nn.Conv2d(features.shape[1], features.shape[1], 3, padding=1)\n        x = features"


class DenseBlock(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        self.conv1 = nn.Conv2d(features, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(features + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(features + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(features + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(features + 4 * growth, features, 3, padding=1)

    def forward(self, x):
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat((seen, F.leaky_relu(conv(seen), 0.2)), dim=1)
        return x + 0.2 * self.conv5(seen)


def of_psnr(formula):
    """Return an answer to lab 00's PSNR in float64, from a formula of the cropped errors."""
    return lambda sr, hr, crop: formula(
        (sr - hr).double()[..., crop or None : -crop or None, crop or None : -crop or None]
    )


@pytest.mark.parametrize(
    ("name", "answer", "phrase"),
    [
        ("esrgan.DenseBlock", DenseBlock, "needs a third argument, residual_scale"),
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
        ("srgan.train_gan", [("noisy, g_optimizer", "discriminator, g_optimizer"), ON_HR], "Only D should see it"),
        ("srresnet.fit", [(COPY, COPY.removeprefix("copy.deepcopy(").removesuffix(")"))], "were they a copy?"),
        ("srresnet.Tail", [("nn.ModuleList(", "list(")], "plain Python list"),
        ("srresnet.Tail", [("        x = features", IN_FORWARD)], "create layers in forward"),
        ("content_loss.ContentLoss", [(".requires_grad_(False).eval()", "")], "still get a gradient"),
    ],
)
def test_natural_answer_gets_its_hint(name, answer, phrase):
    exercise = find(name)
    if isinstance(answer, list):  # changes of the reference
        source = inspect.getsource(exercise.reference)
        for old, new in answer:
            assert old in source
            source = source.replace(old, new)
        answer = build_answer(source, exercise.reference, Path("answer"))
    with pytest.raises(IncorrectAnswer) as error:
        list(judge(exercise, answer))
    assert phrase in " ".join(str(error.value).split())
