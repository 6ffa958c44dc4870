"""Settings that several labs share. A lab that needs another value or description declares the setting again."""

from typing import Any

from srlab.data.resampling import DOWNSAMPLERS
from srlab.losses import ADVERSARIAL, PIXEL_LOSSES
from srlab.models import DISCRIMINATORS
from srlab_course.lab.lab import Lab
from srlab_course.lab.settings import parameter, setting
from srlab_course.lab.sizes import FLOW_SIZES


class SmallLab(Lab):
    """What extras share whose networks are so small that a CPU will do."""

    device: Any = parameter("cpu")  # text in the notebook, a torch.device in the lab


class TrainingLab(Lab):
    """Settings of the labs that train."""

    run = parameter("")
    precision = parameter("auto")
    launch = parameter("auto", choices=("auto", "graph", "python"))
    num_blocks = setting(0, "number of residual blocks; 0 for the default of the size", least=0)
    batch = setting(8, "patches per step", least=1)
    patch = setting(48, "side of an HR patch in pixels", least=1)
    photos = setting(
        "astronaut chelsea text brick", "held-out photos for validation, unless there is a subject or you set a folder"
    )
    validate_every = setting(100, "steps between validations; each saves a checkpoint", least=1)


class SubjectLab(TrainingLab):
    """Settings of the labs that can train on half of one photo."""

    subject = setting(
        "gravel",
        'bundled photo or path; the left half is for training, the right half is held out; "" for many photos',
        cell="auto",
    )


class DegradedLab(TrainingLab):
    """Settings of the labs that can train for degraded photos."""

    parameter_limit = setting(
        0, "largest number of parameters of the generator, as in a challenge; 0 for no limit", least=0
    )
    downsampler = setting(
        "bicubic",
        "kernel that downscales HR to LR; nearest and bicubic-aliased skip antialiasing",
        choices=DOWNSAMPLERS,
    )
    blur = setting([0.0, 0.0], "Gaussian blur before downscaling, lowest and highest sigma in HR pixels")
    image_noise = setting([0.0, 0.0], "Gaussian noise on LR, lowest and highest sigma (white is 1)")
    jpeg = setting([0, 0], "JPEG compression of LR, lowest and highest quality from 1 to 100; zeros for none")
    color = setting("y", "channels that are scored, y (luma only) or rgb", choices=("y", "rgb"))
    crop = setting(4, "border in pixels that is not scored", least=0)


class GanLab(SubjectLab):
    """Settings of the labs that train a GAN, which `srlab_course.lab.gan_plumbing` reads."""

    scale = parameter(4, choices=(2, 3, 4, 8))

    pretrain_iters = setting(400, "steps of MSE pretraining, if there is no pretrained network", least=0)
    features = setting("vgg19 conv3_1", "network and layers of the content loss, see srlab.FeatureExtractor")
    relative = setting(True, "divide the content loss by the magnitude of HR's feature maps")
    max_shift = setting(
        3, "crop 0 to max_shift rows and columns at random before extracting features; 0 for none", least=0
    )
    pixel = setting("l1", "pixel loss, a name in srlab.losses.PIXEL_LOSSES", choices=PIXEL_LOSSES)
    pixel_weight = setting(0.1, "weight of the pixel loss", least=0)
    content_weight = setting(0.1, "weight of the content loss", least=0)
    adversarial_weight = setting(
        0.001, "weight of the adversarial loss; with 0, D still trains but does not affect G", least=0
    )
    gan = setting(
        "vanilla", "adversarial loss, see srlab.losses.ADVERSARIAL", choices=ADVERSARIAL, answers_follow=False
    )
    discriminator = setting(
        "patch",
        "a name in srlab.models.DISCRIMINATORS; srgan and vgg are from the papers of SRGAN and ESRGAN",
        choices=DISCRIMINATORS,
        answers_follow=False,
    )
    learning_rate = setting(0.0002, "learning rate of G", least=0)
    discriminator_rate = setting(0.0004, "learning rate of D", least=0)
    betas = setting([0.5, 0.99], "Adam's betas for G and D; a GAN oscillates less with a small first one")
    ema = setting(0.996, "decay of the moving average of G's weights; 0 for no average")
    label_real = setting(1.0, "D's target for HR; 0.9 is one-sided label smoothing", answers_follow=False)
    label_flip = setting(0.0, "fraction of labels that are flipped", answers_follow=False)
    instance_noise = setting(0.1, "initial instance noise on D's inputs (white is 1)")
    g_every = setting(1, "number of steps per update of G", least=1, answers_follow=False)
    psnr_floor_margin = setting(3.0, "training stops if a network is this far below bicubic, in dB")
    max_psnr_drop = setting(0.8, "largest loss of PSNR compared with bicubic, in dB, for the claims")


class FlowLab(SubjectLab):
    """Settings of the labs about a flow."""

    network = setting("FlowNet", "FlowNet, which the student writes", choices=("FlowNet",))
    size = setting(
        "laptop", "size of the network, tiny, laptop or paper (16 blocks of 128 features)", choices=FLOW_SIZES
    )
    learning_rate = setting(0.001, "peak learning rate of Adam, which warms up and then falls along a cosine", least=0)
    ema = setting(0.99, "decay of the moving average of the weights")
    ring_iters = setting(1500, "training steps on the ring", least=1)
    steps = setting(10, "steps of Heun's method per sample; each runs the network twice, except the last", least=1)
    samples = setting(16, "number of samples that are averaged", least=2)
    center_crop = setting(0, "side of the center crop for validation, in pixels; 0 uses whole photos", least=0)
