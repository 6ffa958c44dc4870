"""Bugs that were found in real super-resolution code, and the test that catches each when it is planted here."""

import json
from pathlib import Path
from typing import NamedTuple


class Bug(NamedTuple):
    """A replacement of text that makes the bug.

    Parameters
    ----------
    file
        Path below the repository root.
    old, new
        ``old`` occurs exactly once in the file; in a notebook, within one line.
    check
        Test that must fail, as ``file::function`` below ``tests/``.
    exercise
        Exercise with a hint for the same bug, or "".
    """

    file: str
    old: str
    new: str
    check: str
    exercise: str = ""

    def plant(self, root: Path) -> str:
        """Return the text of the file below ``root`` with the bug in it."""
        text, old, new = (root / self.file).read_text(encoding="utf-8"), self.old, self.new
        if self.file.endswith(".ipynb"):  # where a line of code is a JSON string
            old, new = (json.dumps(one, ensure_ascii=False)[1:-1] for one in (old, new))
        assert text.count(old) == 1, f"{self.file} contains {old!r} {text.count(old)} times. It must occur once."
        return text.replace(old, new)


BUGS = {
    "G's adversarial term comes from a detached output of D": [
        Bug(
            "srlab/training/gan.py",
            "loss_of_g = g_loss(sr, hr, look)",
            "loss_of_g = g_loss(sr, hr, lambda image: fake.detach())",
            "training/test_gan_step.py::test_the_generator_hears_the_d_that_has_just_learned",
            "srgan.train_step",
        ),
        Bug(
            "srlab/training/gan.py",
            "loss_of_g = g_loss(sr, hr, look)",
            "loss_of_g = g_loss(sr, hr, lambda image: look(image.detach()))",
            "training/test_gan_step.py::test_the_generator_hears_the_d_that_has_just_learned",
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
            "models/test_models.py::test_each_skip_goes_around_what_the_paper_draws_and_each_convolution_has_a_batch_norm_of_its_own",
            "srresnet.ResidualBlock",
        ),
        Bug(
            "srlab/course/exercises/srresnet/residual_block.py",
            "self.norm2 = nn.BatchNorm2d(features)",
            "self.norm2 = self.norm1",
            "course/test_references.py::test_the_residual_block_is_that_of_the_package",
            "srresnet.ResidualBlock",
        ),
    ],
    "`requires_grad = False` is set on a module": [
        Bug(
            "srlab/models/features.py",
            "self.requires_grad_(False)",
            "self.requires_grad = False",
            "models/test_features.py::test_it_is_frozen_in_fact_and_the_gradient_reaches_the_image",
            "content_loss.ContentLoss",
        ),
        Bug(
            "srlab/models/discriminators.py",
            "parameter.requires_grad_(False)",
            "network.requires_grad = False",
            "models/test_discriminators.py::test_frozen_lets_the_gradient_through_and_keeps_none",
            "content_loss.ContentLoss",
        ),
    ],
    "The test for the best PSNR compares with SSIM": [
        Bug(
            "srlab/training/runs.py",
            'if score > self.best.get(name, float("-inf")):',
            'if score > self.history[-1].get("val_ssim", float("-inf")):',
            "training/test_training.py::test_the_weights_with_the_best_score_are_kept_beside_the_last",
        ),
    ],
    "The MSE of PSNR is a sum": [
        Bug(
            "srlab/evaluation/metrics.py",
            ".square().mean(dim=(1, 2, 3))",
            ".square().sum(dim=(1, 2, 3))",
            "evaluation/test_metrics.py::test_psnr_of_a_constant_error_is_20_log_of_its_inverse",
            "degradation.psnr",
        ),
        Bug(
            "notebooks/05_evaluation.ipynb",
            "return (sr - hr).double().square().mean()",
            "return (sr - hr).double().square().sum()",
            "labs/test_labs.py::test_the_switches_of_lab_05_begin_with_the_psnr_of_the_package",
            "evaluation.paper_psnr",
        ),
    ],
    "The ResNet extractor slices past layer1": [
        Bug(
            "srlab/models/features.py",
            "for s in (1, 2, 3, 4)",
            "for s in (2, 3, 4)",
            "models/test_features.py::test_a_block_of_a_resnet_is_counted_through_all_stages",
        ),
    ],
    "The mean loss is divided inside the loop": [
        Bug(
            "srlab/losses.py",
            "        total = total + distance",
            "        total = (total + distance) / len(features.layers)",
            "test_losses.py::test_content_loss_by_hand",
        ),
    ],
    "VGG is fed un-normalized input": [
        Bug(
            "srlab/models/features.py",
            "if self.normalize:",
            "if False:",
            "models/test_features.py::test_images_are_normalized_as_in_training_unless_told_not_to",
            "content_loss.ContentLoss",
        ),
        Bug(
            "srlab/evaluation/perceptual.py",
            "normalize=True",
            "normalize=False",
            "evaluation/test_perceptual.py::test_lpips_gets_its_images_from_minus_1_to_1",
        ),
    ],
    "A Linear stands before the average pool": [
        Bug(
            "srlab/models/kim2021.py",
            "self.head(self.convolutions(noisy(image, noise)).mean(dim=(2, 3)))",
            "self.head(self.convolutions(noisy(image, noise)).flatten(2).mT).mean(dim=1)",
            "models/test_discriminators.py::test_the_coded_discriminator_averages_over_the_places_before_its_linear_layers",
        ),
    ],
    "RaGAN with half of G's loss missing": [
        Bug(
            "srlab/losses.py",
            "return _cross_entropy(real - fake.mean(), 0.0) + _cross_entropy(fake - real.mean(), 1.0)",
            "return _cross_entropy(fake - real.mean(), 1.0)",
            "test_losses.py::test_g_learns_from_both_halves_of_the_average_loss",
            "esrgan.ragan_generator_loss",
        ),
    ],
    "G is forwarded three times a step": [
        Bug(
            "srlab/training/gan.py",
            "loss_of_g = g_loss(sr, hr, look)",
            """sr = generator(lr)
            loss_of_g = g_loss(generator(lr), hr, look)""",
            "training/test_gan_step.py::test_the_generator_runs_once",
            "srgan.train_step",
        ),
    ],
    "D's features of HR are not detached in the generator step": [
        Bug(
            "srlab/training/gan.py",
            "with frozen(discriminator):",
            "with torch.enable_grad():",
            "training/test_gan_step.py::test_the_generators_half_leaves_no_gradient_in_d_nor_ds_half_any_in_g",
        ),
        Bug(
            "srlab/losses.py",
            "with torch.no_grad():",
            "with torch.enable_grad():",
            "test_losses.py::test_hr_is_looked_at_once_and_without_a_graph",
            "content_loss.ContentLoss",
        ),
    ],
    "Batch norm's running statistics are updated by both passes": [
        Bug(
            "srlab/training/gan.py",
            "real, fake = look(hr), look(sr.detach())",
            "real, fake = look(hr), look(generator(lr).detach())",
            "training/test_gan_step.py::test_running_statistics_of_g_move_once_and_those_of_d_in_its_own_half_alone",
            "srgan.train_step",
        ),
        Bug(
            "srlab/models/discriminators.py",
            "norm.track_running_stats = False",
            "norm.track_running_stats = True",
            "training/test_gan_step.py::test_running_statistics_of_g_move_once_and_those_of_d_in_its_own_half_alone",
        ),
        Bug(
            "srlab/models/features.py",
            "return super().train(False)",
            "return super().train(mode)",
            "models/test_features.py::test_it_is_frozen_in_fact_and_the_gradient_reaches_the_image",
            "content_loss.ContentLoss",
        ),
    ],
    "The learning-rate schedule is wrong after resume": [
        Bug(
            "srlab/training/trainer.py",
            "early = {",
            "schedule = (lambda f, first: lambda step: f(step - first))(schedule, self.step); early = {",
            "training/test_training.py::test_learning_rates_follow_the_schedule_at_absolute_steps_also_after_a_resume",
        ),
        Bug(
            "srlab/training/trainer.py",
            'group.setdefault("initial_lr", group["lr"])',
            'group["initial_lr"] = group["lr"]',
            "training/test_training.py::test_the_rate_is_right_again_when_one_trainer_is_fitted_twice",
        ),
        Bug(
            "srlab/training/trainer.py",
            "early = {",
            "schedule = (lambda f, first: lambda step: f(min(step, first or iters)))(schedule, self.step); early = {",
            "training/test_training.py::test_a_longer_run_goes_on_by_the_schedule_of_its_new_length_and_says_so",
        ),
    ],
    "The receptive field is ignored in tiling": [
        Bug(
            "srlab/tiling.py",
            "before, after = max(left - overlap, 0), min(right + overlap, size[1])",
            "before, after = left, right",
            "test_tiling.py::test_with_the_receptive_radius_as_overlap_only_rounding_is_left",
            "tiles.upscale_tiled",
        ),
        Bug(
            "srlab/tiling.py",
            "overlap = overlap_of(upscaler) if overlap is None else overlap",
            "overlap = overlap or 0",
            "test_tiling.py::test_with_the_default_overlap_tiles_give_the_whole_image",
            "tiles.upscale_tiled",
        ),
        Bug(
            "srlab/tiling.py",
            "OVERLAP = 80",
            "OVERLAP = 8",
            "test_tiling.py::test_with_the_default_overlap_tiles_give_the_whole_image",
        ),
        Bug(
            "srlab/models/srresnet.py",
            "math.ceil(4 + 2 * num_blocks + 1",
            "math.ceil(4 + blocks + 1",
            "models/test_models.py::test_the_radius_is_what_gradients_reach",
        ),
    ],
    "Errors of single tiles are swallowed": [
        Bug(
            "srlab/tiling.py",
            """
    sr = apply(upscaler, lr, precision)
""",
            """
    try:
        sr = apply(upscaler, lr, precision)
    except RuntimeError as error:
        print("Error", error)
        sr = lr.new_zeros(*lr.shape[:-2], 4 * lr.shape[-2], 4 * lr.shape[-1])
""",
            "test_tiling.py::test_other_errors_are_not_taken_for_a_lack_of_memory",
            "tiles.upscale_tiled",
        ),
        Bug(
            "srlab/tiling.py",
            "if not out_of_memory(error):",
            "if False:",
            "test_tiling.py::test_other_errors_are_not_taken_for_a_lack_of_memory",
            "tiles.upscale_tiled",
        ),
        Bug(
            "srlab/tiling.py",
            "if not torch.isfinite(sr).all():",
            "if False:",
            "test_tiling.py::test_values_that_are_no_numbers_are_refused",
        ),
    ],
    "VGG is cut at the wrong side of the ReLU or pool": [
        Bug(
            "srlab/models/features.py",
            "enumerate(whole.features)",
            "enumerate(whole.features, start=1)",
            "models/test_features.py::test_a_layer_of_vgg_is_that_many_layers_of_torchvision",
        ),
        Bug(
            "srlab/models/features.py",
            "module.inplace = False",
            "module.inplace = True",
            "models/test_features.py::test_a_map_before_the_activation_is_not_spoiled_by_the_activation_behind_it",
        ),
        Bug(
            "notebooks/recipes/03_srgan.yaml",
            "features: vgg19 relu5_4",
            "features: vgg19 pool5",
            "labs/test_labs.py::test_the_recipes_of_the_papers_look_through_their_layers",
        ),
        Bug(
            "notebooks/recipes/04_esrgan.yaml",
            "features: vgg19 conv5_4",
            "features: vgg19 relu5_4",
            "labs/test_labs.py::test_the_recipes_of_the_papers_look_through_their_layers",
        ),
    ],
    "Weights of others are loaded without a look at their hash": [
        Bug(
            "srlab/models/realesrgan.py",
            "if hashlib.sha256(data).hexdigest() != SHA256:",
            "if not data:",
            "models/test_realesrgan.py::test_a_file_with_one_changed_bit_or_byte_is_refused_and_so_is_a_longer_or_shorter_one",
        ),
    ],
}
