"""Bugs that were found in other training and inference code."""

from .bug import Bug, Known

STEP = "tests/training/test_gan_step.py"
STATISTICS = "test_running_statistics_of_g_move_once_and_those_of_d_in_its_own_half_alone"
TRAINING = "tests/training/test_training.py"
TRAIN = "early = {max(1, validate_every // 4), max(1, validate_every // 2)}"
SCHEDULE = "schedule = (lambda whole, first: lambda step: whole({}))(schedule, self.step); "
TILING = "tests/inference/test_tiling.py"
FEATURES = "tests/models/test_features.py"
PAPERS = "tests/labs/test_labs.py::test_the_recipes_of_the_papers_look_through_their_layers"
RAN_AGAIN = "srgan.train_step: The generator ran more than once. It's"
SEAMS = "tiles.upscale_tiled: There are seams: each tile was upscaled"
LET_THROUGH = "tiles.upscale_tiled: The upscaler failed on a tile, and"

BUGS = [
    Bug(
        Known.HALF,
        "`srlab.losses.generator_loss`: the half about HR is left out",
        file="srlab/losses.py",
        old="return _cross_entropy(real - fake.mean(), 0.0) + _cross_entropy(fake - real.mean(), 1.0)",
        new="return _cross_entropy(fake - real.mean(), 1.0)",
        check="tests/test_losses.py::test_g_learns_from_both_halves_of_the_average_loss",
        exercise="esrgan.ragan_generator_loss: Only SR is judged here. Where is",
    ),
    Bug(
        Known.THRICE,
        "`gan_step`: a picture for D, one for G's loss, and one before both",
        file="srlab/training/gan.py",
        old="loss_of_g = g_loss(sr, hr, look)",
        new="sr = generator(lr)\n            loss_of_g = g_loss(generator(lr), hr, look)",
        check=f"{STEP}::test_the_generator_runs_once",
        exercise=RAN_AGAIN,
    ),
    Bug(
        Known.HR_GRAPH,
        "`gan_step`: D judges SR and HR in G's half with its graph, so G's loss leaves gradients in D",
        file="srlab/training/gan.py",
        old="with frozen(discriminator):",
        new="with torch.enable_grad():",
        check=f"{STEP}::test_the_generators_half_leaves_no_gradient_in_d_nor_ds_half_any_in_g",
    ),
    Bug(
        Known.HR_GRAPH,
        "`srlab.losses.content_loss`: the features of HR keep a graph",
        file="srlab/losses.py",
        old="""
    with torch.no_grad():
        wanted = features(hr)
""",
        new="""
    wanted = features(hr)
""",
        check="tests/test_losses.py::test_hr_is_looked_at_once_and_without_a_graph",
        exercise="content_loss.ContentLoss: A gradient also flows to HR, where",
    ),
    Bug(
        Known.STATISTICS,
        "`gan_step`: D's half makes a picture of its own, and G's batch norm sees the batch twice",
        file="srlab/training/gan.py",
        old="real, fake = look(hr), look(sr.detach())",
        new="real, fake = look(hr), look(generator(lr).detach())",
        check=f"{STEP}::{STATISTICS}",
        exercise=RAN_AGAIN,
    ),
    Bug(
        Known.STATISTICS,
        "`frozen`: D's batch norm counts what it sees in G's half",
        file="srlab/models/discriminators.py",
        old="norm.track_running_stats = False",
        new="norm.track_running_stats = True",
        check=f"{STEP}::{STATISTICS}",
    ),
    Bug(
        Known.STATISTICS,
        "`FeatureExtractor.train`: a VGG with batch norm learns the statistics of SR and of HR",
        file="srlab/models/features.py",
        old="return super().train(False)",
        new="return super().train(mode)",
        check=f"{FEATURES}::test_it_is_frozen_in_fact_and_the_gradient_reaches_the_image",
        exercise="content_loss.ContentLoss: The network is still in training mode:",
    ),
    Bug(
        Known.SCHEDULE,
        "`Trainer`: the schedule begins anew with each call of `fit`",
        file="srlab/training/trainer.py",
        old=TRAIN,
        new=SCHEDULE.format("step - first") + TRAIN,
        check=f"{TRAINING}::test_learning_rates_follow_the_schedule_at_absolute_steps_also_after_a_resume",
    ),
    Bug(
        Known.SCHEDULE,
        "`Trainer`: a rate that has fallen already is taken for the first one",
        file="srlab/training/trainer.py",
        old='group.setdefault("initial_lr", group["lr"])',
        new='group["initial_lr"] = group["lr"]',
        check=f"{TRAINING}::test_the_rate_is_right_again_when_one_trainer_is_fitted_twice",
    ),
    Bug(
        Known.SCHEDULE,
        "`Trainer`: a longer run goes on at the rate with which the shorter one ended",
        file="srlab/training/trainer.py",
        old=TRAIN,
        new=SCHEDULE.format("min(step, first or iters)") + TRAIN,
        check=f"{TRAINING}::test_a_longer_run_goes_on_by_the_schedule_of_its_new_length_and_says_so",
    ),
    Bug(
        Known.FIELD,
        "`upscale_tiles`: a tile sees nothing of those at its left and right",
        file="srlab/inference/tiling.py",
        old="before, after = max(left - overlap, 0), min(right + overlap, size[1])",
        new="before, after = left, right",
        check=f"{TILING}::test_with_the_receptive_radius_as_overlap_only_rounding_is_left",
        exercise=SEAMS,
    ),
    Bug(
        Known.FIELD,
        "`upscale_tiles`: no overlap where none is given",
        file="srlab/inference/tiling.py",
        old="overlap = overlap_of(upscaler) if overlap is None else overlap",
        new="overlap = overlap or 0",
        check=f"{TILING}::test_with_the_default_overlap_tiles_give_the_whole_image",
        exercise=SEAMS,
    ),
    Bug(
        Known.FIELD,
        "`OVERLAP`: a few pixels are taken to be enough for every network",
        file="srlab/inference/tiling.py",
        old="OVERLAP = 80",
        new="OVERLAP = 8",
        check=f"{TILING}::test_with_the_default_overlap_tiles_give_the_whole_image",
    ),
    Bug(
        Known.FIELD,
        "`SRResNet.radius`: one convolution of each block is forgotten",
        file="srlab/models/srresnet.py",
        old="math.ceil(4 + 2 * blocks + 1",
        new="math.ceil(4 + blocks + 1",
        check="tests/models/test_models.py::test_the_radius_is_what_gradients_reach",
    ),
    Bug(
        Known.SWALLOWED,
        "`upscale_tiles`: what goes wrong in a tile is printed, and the tile is black",
        file="srlab/inference/tiling.py",
        old="""
    sr = apply(upscaler, lr, precision)
""",
        new="""
    try:
        sr = apply(upscaler, lr, precision)
    except RuntimeError as error:
        print("Error", error)
        sr = lr.new_zeros(*lr.shape[:-2], 4 * lr.shape[-2], 4 * lr.shape[-1])
""",
        check=f"{TILING}::test_other_errors_are_not_taken_for_a_lack_of_memory",
        exercise=LET_THROUGH,
    ),
    Bug(
        Known.SWALLOWED,
        "`upscale_tiles`: any error is taken for a lack of memory",
        file="srlab/inference/tiling.py",
        old="""
                if not out_of_memory(error):
                    raise
""",
        new="\n",
        check=f"{TILING}::test_other_errors_are_not_taken_for_a_lack_of_memory",
        exercise=LET_THROUGH,
    ),
    Bug(
        Known.SWALLOWED,
        "`upscale_tiles`: NaN of the network goes into the picture",
        file="srlab/inference/tiling.py",
        old="if not torch.isfinite(sr).all():",
        new="if False:",
        check=f"{TILING}::test_values_that_are_no_numbers_are_refused",
    ),
    Bug(
        Known.CUT,
        "`FeatureExtractor`: each name gives the map of the layer behind it",
        file="srlab/models/features.py",
        old="enumerate(whole.features)",
        new="enumerate(whole.features, start=1)",
        check=f"{FEATURES}::test_a_layer_of_vgg_is_that_many_layers_of_torchvision",
    ),
    Bug(
        Known.CUT,
        "`FeatureExtractor`: torchvision's ReLU writes over the map before it",
        file="srlab/models/features.py",
        old="module.inplace = False",
        new="module.inplace = True",
        check=f"{FEATURES}::test_a_map_before_the_activation_is_not_spoiled_by_the_activation_behind_it",
    ),
    Bug(
        Known.CUT,
        "the recipe paper of lab 03: after the pool",
        file="notebooks/recipes/03_srgan.yaml",
        old="features: vgg19 relu5_4",
        new="features: vgg19 pool5",
        check=PAPERS,
    ),
    Bug(
        Known.CUT,
        "the recipe paper of lab 04: after the activation",
        file="notebooks/recipes/04_esrgan.yaml",
        old="features: vgg19 conv5_4",
        new="features: vgg19 relu5_4",
        check=PAPERS,
    ),
    Bug(
        Known.UNCHECKED,
        "`srlab.load_published`: any file of the right length will do",
        file="srlab/models/realesrgan.py",
        old="if hashlib.sha256(data).hexdigest() != SHA256:",
        new="if not data:",
        check="tests/models/test_realesrgan.py::"
        "test_a_file_with_one_changed_bit_or_byte_is_refused_and_so_is_a_longer_or_shorter_one",
    ),
]
