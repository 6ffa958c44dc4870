"""Bugs that were found in the code of the SRGAN content-loss study."""

from .bug import Bug, Known

STEP = "tests/training/test_gan_step.py"
FEATURES = "tests/models/test_features.py"
NO_GRAPH = "srgan.train_step: G's step uses what D said before"
ONE_NORM = "srresnet.ResidualBlock: One batch norm serves both convolutions: its"
FREEZE = "content_loss.ContentLoss: The weights of the network still take a gradient: `requires_grad"

BUGS = [
    Bug(
        Known.STALE,
        "`gan_step`: G hears what D said before its update, cut off",
        file="srlab/training/gan.py",
        old="loss_of_g = g_loss(sr, hr, look)",
        new="loss_of_g = g_loss(sr, hr, lambda image: fake.detach())",
        check=f"{STEP}::test_the_generator_hears_the_d_that_has_just_learned",
        exercise=NO_GRAPH,
    ),
    Bug(
        Known.STALE,
        "`gan_step`: D is asked again, but about a detached picture",
        file="srlab/training/gan.py",
        old="loss_of_g = g_loss(sr, hr, look)",
        new="loss_of_g = g_loss(sr, hr, lambda image: look(image.detach()))",
        check=f"{STEP}::test_the_generator_hears_the_d_that_has_just_learned",
        exercise="srgan.whole_loss: The value is right, but D's answer doesn't reach G",
    ),
    Bug(
        Known.SHARED,
        "`ResidualBlock`: one module in two places",
        file="srlab/models/srresnet.py",
        old="""
        self.body = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1),
            nn.BatchNorm2d(features),
            InPlacePReLU(),
            nn.Conv2d(features, features, 3, padding=1),
            nn.BatchNorm2d(features),
        )
""",
        new="""
        norm = nn.BatchNorm2d(features)
        self.body = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1),
            norm,
            InPlacePReLU(),
            nn.Conv2d(features, features, 3, padding=1),
            norm,
        )
""",
        check="tests/models/test_models.py"
        "::test_each_skip_goes_around_what_the_paper_draws_and_each_convolution_has_a_batch_norm_of_its_own",
        exercise=ONE_NORM,
    ),
    Bug(
        Known.SHARED,
        "the reference of the exercise, with which lab 01 goes on where there is no answer yet",
        file="srlab/course/exercises/srresnet/residual_block.py",
        old="self.norm2 = nn.BatchNorm2d(features)",
        new="self.norm2 = self.norm1",
        check="tests/course/test_references.py::test_the_residual_block_is_that_of_the_package",
        exercise=ONE_NORM,
    ),
    Bug(
        Known.ON_A_MODULE,
        "`FeatureExtractor`: an attribute instead of the method",
        file="srlab/models/features.py",
        old="self.requires_grad_(False)",
        new="self.requires_grad = False",
        check=f"{FEATURES}::test_it_is_frozen_in_fact_and_the_gradient_reaches_the_image",
        exercise=FREEZE,
    ),
    Bug(
        Known.ON_A_MODULE,
        "`frozen`, which holds D while G learns",
        file="srlab/models/discriminators.py",
        old="""
    for parameter in learning:
        parameter.requires_grad_(False)
""",
        new="""
    network.requires_grad = False
""",
        check="tests/models/test_discriminators.py::test_frozen_lets_the_gradient_through_and_keeps_none",
        exercise=FREEZE,
    ),
    Bug(
        Known.BEST,
        "`Trainer`: the record to beat is one of SSIM",
        file="srlab/training/runs.py",
        old='if score > self.best.get(name, float("-inf")):',
        new='if score > self.history[-1].get("val_ssim", float("-inf")):',
        check="tests/training/test_training.py::test_the_weights_with_the_best_score_are_kept_beside_the_last",
    ),
    Bug(
        Known.SUM,
        "`srlab.psnr`",
        file="srlab/evaluation/metrics.py",
        old=".square().mean(dim=(1, 2, 3))",
        new=".square().sum(dim=(1, 2, 3))",
        check="tests/evaluation/test_metrics.py::test_psnr_of_a_constant_error_is_20_log_of_its_inverse",
        exercise="degradation.psnr: The squared errors were added up",
    ),
    Bug(
        Known.SUM,
        "lab 05: the error that its switches begin with",
        file="notebooks/05_evaluation.ipynb",
        old="return (sr - hr).double().square().mean()",
        new="return (sr - hr).double().square().sum()",
        check="tests/labs/test_labs.py::test_the_switches_of_lab_05_begin_with_the_psnr_of_the_package",
        exercise="evaluation.paper_psnr: The squared errors were added up, so",
    ),
    Bug(
        Known.PAST_LAYER1,
        "`FeatureExtractor`: the blocks are counted from layer2",
        file="srlab/models/features.py",
        old="for s in (1, 2, 3, 4)",
        new="for s in (2, 3, 4)",
        check=f"{FEATURES}::test_a_block_of_a_resnet_is_counted_through_all_stages",
    ),
    Bug(
        Known.INSIDE,
        "`content_loss`: the sum over the layers is divided while it still grows",
        file="srlab/losses.py",
        old="        total = total + distance",
        new="        total = (total + distance) / len(features.layers)",
        check="tests/test_losses.py::test_content_loss_by_hand",
    ),
    Bug(
        Known.PLAIN_INPUT,
        "`FeatureExtractor`: the image goes in as it is",
        file="srlab/models/features.py",
        old="""
        if self.normalize:
            image = (image - self.mean) / self.std
""",
        new="\n",
        check=f"{FEATURES}::test_images_are_normalised_as_in_training_unless_told_not_to",
        exercise="content_loss.ContentLoss: The network got plain pictures in [0, 1].",
    ),
    Bug(
        Known.PLAIN_INPUT,
        "`srlab.evaluation.perception.lpips`: AlexNet gets [0, 1] instead of [-1, 1]",
        file="srlab/evaluation/perception.py",
        old="normalize=True",
        new="normalize=False",
        check="tests/evaluation/test_perception.py::test_lpips_gets_its_images_from_minus_1_to_1",
    ),
    Bug(
        Known.LINEAR,
        "the study's D: its head looks at each place, and the logits are averaged",
        file="srlab/models/as_coded.py",
        old="self.head(self.convolutions(noisy(image, noise)).mean(dim=(2, 3)))",
        new="self.head(self.convolutions(noisy(image, noise)).flatten(2).mT).mean(dim=1)",
        check="tests/models/test_discriminators.py"
        "::test_the_coded_discriminator_averages_over_the_places_before_its_linear_layers",
    ),
]
