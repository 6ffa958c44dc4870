"""Bugs found in real super-resolution code, and the test that must fail when each is planted here."""

import json
from pathlib import Path
from typing import NamedTuple


class Bug(NamedTuple):
    """A text replacement that plants a bug.

    Parameters
    ----------
    file
        Path relative to the repository root.
    old, new
        Text and its replacement. ``old`` must occur exactly once in the file; in a notebook, within one line.
    check
        Test that must fail, as ``file::function`` relative to ``tests/``.
    exercise
        Exercise with a hint for the same bug, or "".
    """

    file: str
    old: str
    new: str
    check: str
    exercise: str = ""

    def plant(self, root: Path) -> str:
        """Return the text of the file in ``root`` with the bug planted."""
        text, old, new = (root / self.file).read_text(encoding="utf-8"), self.old, self.new
        if self.file.endswith(".ipynb"):  # where each line of code is a JSON string
            old, new = (json.dumps(one, ensure_ascii=False)[1:-1] for one in (old, new))
        assert text.count(old) == 1, f"{self.file} contains {old!r} {text.count(old)} times instead of once."
        return text.replace(old, new)


BUGS = {
    "A recorded step repeats a number that should change": [
        Bug(
            "srlab/training/recording.py",
            "self._compare(before, after, losses, recording.replay(lr, hr))",
            "recording.replay(lr, hr)",
            "training/test_recording.py::test_step_that_cannot_be_recorded_trains_as_written",
        ),
        Bug(
            "srlab/training/recording.py",
            'raise NotRecordable("it draws random numbers on the CPU")',
            "pass",
            "training/test_recording.py::test_step_that_cannot_be_recorded_trains_as_written",
        ),
        Bug(
            "srlab/training/trainer.py",
            'group["lr"].fill_(rate)',
            "pass",
            "training/test_recording.py::test_recorded_run_equals_run_as_written",
        ),
        Bug(
            "srlab/training/trainer.py",
            "advance(lr, hr, self.turn)",
            "advance(lr, hr, 0)",
            "training/test_recording.py::test_each_turn_has_its_own_recording",
        ),
        Bug(
            "srlab/losses.py",
            "down, right = torch.randint(max_shift + 1, (2, 1), device=images[0].device)",
            "down, right = torch.randint(max_shift + 1, (2, 1), device=images[0].device).tolist(); "
            "down, right = torch.tensor(down), torch.tensor(right)",
            "training/test_recording.py::test_shift_of_content_loss_changes_in_replays",
        ),
    ],
    "G's adversarial loss uses a detached output of D": [
        Bug(
            "srlab/training/gan.py",
            "loss_of_g = g_loss(sr, hr, discriminator)",
            "logits = discriminator(sr).detach(); loss_of_g = g_loss(sr, hr, lambda image: logits)",
            "training/test_gan_step.py::test_g_loss_uses_updated_d",
            "srgan.train_step",
        ),
        Bug(
            "srlab/training/gan.py",
            "loss_of_g = g_loss(sr, hr, discriminator)",
            "loss_of_g = g_loss(sr, hr, lambda image: discriminator(image.detach()))",
            "training/test_gan_step.py::test_g_loss_uses_updated_d",
            "srgan.train_step",
        ),
    ],
    "One batch norm is shared by both convolutions of a block": [
        Bug(
            "srlab/models/srresnet.py",
            """            InPlacePReLU(),
            nn.Conv2d(num_features, num_features, 3, padding=1),
            nn.BatchNorm2d(num_features),
        )
""",
            """            InPlacePReLU(),
            nn.Conv2d(num_features, num_features, 3, padding=1),
        )
        self.body.append(self.body[1])
""",
            "models/test_models.py::test_skips_and_batch_norms_match_paper",
            "srresnet.ResidualBlock",
        ),
        Bug(
            "srlab_course/exercises/srresnet/residual_block.py",
            "self.norm2 = nn.BatchNorm2d(features)",
            "self.norm2 = self.norm1",
            "course/exercises/test_references.py::test_residual_block_matches_package",
            "srresnet.ResidualBlock",
        ),
    ],
    "`requires_grad = False` is set on a module": [
        Bug(
            "srlab/models/features.py",
            "self.requires_grad_(False)",
            "self.requires_grad = False",
            "models/test_features.py::test_extractor_is_frozen_and_passes_gradient",
            "content_loss.ContentLoss",
        ),
        Bug(
            "srlab/models/discriminators.py",
            "parameter.requires_grad_(False)",
            "network.requires_grad = False",
            "models/test_discriminators.py::test_frozen_passes_gradient_and_keeps_none",
            "content_loss.ContentLoss",
        ),
    ],
    "The best-PSNR check compares with SSIM": [
        Bug(
            "srlab/training/runs.py",
            'if score > self.best.get(name, float("-inf")):',
            'if score > self.history[-1].get("val_ssim", float("-inf")):',
            "training/test_training.py::test_best_weights_are_kept_with_the_last",
        ),
    ],
    "PSNR uses a sum instead of the MSE": [
        Bug(
            "srlab/evaluation/metrics.py",
            ".square().mean(dim=(1, 2, 3))",
            ".square().sum(dim=(1, 2, 3))",
            "evaluation/test_metrics.py::test_psnr_of_constant_error",
            "degradation.psnr",
        ),
        Bug(
            "notebooks/05_evaluation.ipynb",
            "return (sr - hr).double().square().mean()",
            "return (sr - hr).double().square().sum()",
            "labs/test_labs.py::test_lab_05_psnr_cell_matches_package",
            "degradation.psnr",
        ),
    ],
    "The ResNet extractor skips layer1": [
        Bug(
            "srlab/models/features.py",
            "for s in (1, 2, 3, 4)",
            "for s in (2, 3, 4)",
            "models/test_features.py::test_resnet_blocks_are_counted_through_all_stages",
        ),
    ],
    "The content loss is divided by the layer count inside the loop": [
        Bug(
            "srlab/losses.py",
            "        total = total + distance",
            "        total = (total + distance) / len(features.layers)",
            "test_losses.py::test_content_loss_matches_hand_computation",
        ),
    ],
    "VGG gets input that is not normalized": [
        Bug(
            "srlab/models/features.py",
            "if self.normalize:",
            "if False:",
            "models/test_features.py::test_input_is_normalized_by_default",
            "content_loss.ContentLoss",
        ),
        Bug(
            "srlab/evaluation/perceptual.py",
            "normalize=True",
            "normalize=False",
            "evaluation/test_perceptual.py::test_lpips_normalizes_input",
        ),
    ],
    "A linear layer comes before the average pooling": [
        Bug(
            "studies/content_loss/as_coded.py",
            "self.head(self.convolutions(image).mean(dim=(2, 3)))",
            "self.head(self.convolutions(image).flatten(2).mT).mean(dim=1)",
            "studies/test_as_coded.py::test_discriminator_averages_before_linear_layers",
        ),
    ],
    "RaGAN lacks half of G's loss": [
        Bug(
            "srlab/losses.py",
            "lambda real, fake: _cross_entropy(real - fake.mean(), 0.0) + _cross_entropy(fake - real.mean(), 1.0)",
            "lambda real, fake: _cross_entropy(fake - real.mean(), 1.0)",
            "test_losses.py::test_ragan_g_learns_from_both_halves",
            "esrgan.ragan_generator_loss",
        ),
    ],
    "G runs three times per step": [
        Bug(
            "srlab/training/gan.py",
            "loss_of_g = g_loss(sr, hr, discriminator)",
            """sr = generator(lr)
            loss_of_g = g_loss(generator(lr), hr, discriminator)""",
            "training/test_gan_step.py::test_generator_runs_once_per_step",
            "srgan.train_step",
        ),
    ],
    "D's features of HR are not detached in the generator step": [
        Bug(
            "srlab/training/gan.py",
            "with frozen(discriminator):",
            "with torch.enable_grad():",
            "training/test_gan_step.py::test_g_and_d_updates_leave_no_gradient_in_each_other",
        ),
        Bug(
            "srlab/losses.py",
            "with torch.no_grad():",
            "with torch.enable_grad():",
            "test_losses.py::test_hr_features_are_computed_once_without_graph",
            "content_loss.ContentLoss",
        ),
    ],
    "Batch norm's running statistics are updated by both passes": [
        Bug(
            "srlab/training/gan.py",
            "loss_of_d = d_loss(discriminator(hr), discriminator(sr.detach()))",
            "loss_of_d = d_loss(discriminator(hr), discriminator(generator(lr).detach()))",
            "training/test_gan_step.py::test_running_statistics_update_once_in_g_and_only_in_d_update",
            "srgan.train_step",
        ),
        Bug(
            "srlab/models/discriminators.py",
            "norm.track_running_stats = False",
            "norm.track_running_stats = True",
            "training/test_gan_step.py::test_running_statistics_update_once_in_g_and_only_in_d_update",
        ),
        Bug(
            "srlab/models/features.py",
            "return super().train(False)",
            "return super().train(mode)",
            "models/test_features.py::test_extractor_is_frozen_and_passes_gradient",
            "content_loss.ContentLoss",
        ),
    ],
    "The learning-rate schedule is wrong after resume": [
        Bug(
            "srlab/training/trainer.py",
            "calendar = Calendar(",
            "schedule = (lambda f, first: lambda step: f(step - first))(schedule, self.step); calendar = Calendar(",
            "training/test_training.py::test_schedule_uses_absolute_steps_after_resume",
        ),
        Bug(
            "srlab/training/trainer.py",
            'group.setdefault("initial_lr", float(group["lr"]))',
            'group["initial_lr"] = float(group["lr"])',
            "training/test_training.py::test_learning_rate_is_correct_in_second_fit",
        ),
        Bug(
            "srlab/training/trainer.py",
            "calendar = Calendar(",
            "schedule = (lambda f, first: lambda step: f(min(step, first or iters)))(schedule, self.step); "
            "calendar = Calendar(",
            "training/test_training.py::test_longer_run_resumes_with_new_schedule",
        ),
    ],
    "The receptive field is ignored in tiling": [
        Bug(
            "srlab/tiling.py",
            "before, after = max(left - overlap, 0), min(right + overlap, size[1])",
            "before, after = left, right",
            "test_tiling.py::test_receptive_radius_overlap_is_exact_up_to_rounding",
            "shipping.upscale_tiled",
        ),
        Bug(
            "srlab/tiling.py",
            "overlap = overlap_of(upscaler) if overlap is None else overlap",
            "overlap = overlap or 0",
            "test_tiling.py::test_default_overlap_matches_whole_image",
            "shipping.upscale_tiled",
        ),
        Bug(
            "srlab/tiling.py",
            "OVERLAP = 80",
            "OVERLAP = 8",
            "test_tiling.py::test_default_overlap_matches_whole_image",
        ),
        Bug(
            "srlab/models/srresnet.py",
            "math.ceil(4 + 2 * num_blocks + 1",
            "math.ceil(4 + num_blocks + 1",
            "models/test_models.py::test_the_radius_is_what_gradients_reach",
        ),
    ],
    "Errors of single tiles are ignored": [
        Bug(
            "srlab/tiling.py",
            """
    sr = upscale_whole(upscaler, lr, precision, (above, before))
""",
            """
    try:
        sr = upscale_whole(upscaler, lr, precision, (above, before))
    except RuntimeError as error:
        print("Error", error)
        sr = lr.new_zeros(*lr.shape[:-2], 4 * lr.shape[-2], 4 * lr.shape[-1])
""",
            "test_tiling.py::test_other_errors_are_not_treated_as_out_of_memory",
            "shipping.upscale_tiled",
        ),
        Bug(
            "srlab/tiling.py",
            "if not out_of_memory(error):",
            "if False:",
            "test_tiling.py::test_other_errors_are_not_treated_as_out_of_memory",
            "shipping.upscale_tiled",
        ),
        Bug(
            "srlab/tiling.py",
            "if not torch.isfinite(sr).all():",
            "if False:",
            "test_tiling.py::test_nan_and_infinite_output_is_rejected",
        ),
    ],
    "VGG is cut on the wrong side of the ReLU or pooling": [
        Bug(
            "srlab/models/features.py",
            "enumerate(whole.features)",
            "enumerate(whole.features, start=1)",
            "models/test_features.py::test_vgg_layer_matches_torchvision",
        ),
        Bug(
            "srlab/models/features.py",
            "module.inplace = False",
            "module.inplace = True",
            "models/test_features.py::test_map_before_activation_is_not_modified_in_place",
        ),
        Bug(
            "notebooks/recipes/03_srgan.yaml",
            "features: vgg19 relu5_4",
            "features: vgg19 pool5",
            "labs/test_labs.py::test_paper_recipes_use_layers_of_papers",
        ),
        Bug(
            "notebooks/recipes/04_esrgan.yaml",
            "features: vgg19 conv5_4",
            "features: vgg19 relu5_4",
            "labs/test_labs.py::test_paper_recipes_use_layers_of_papers",
        ),
    ],
    "Third-party weights are loaded without checking their hash": [
        Bug(
            "srlab/models/realesrgan.py",
            "if hashlib.sha256(data).hexdigest() != sha256:",
            "if not data:",
            "models/test_realesrgan.py::test_changed_file_is_rejected",
        ),
    ],
}
