"""The drawings of a content loss."""

import itertools

from drawing.pen import GRADIENT, NOTE, PLOTS, ROLES, Drawing


def vgg_resnet() -> Drawing:
    """Where the layers stand that a content loss may ask for."""
    d = Drawing(
        640,
        "The layers of VGG19 and ResNet34",
        """Two tables of layers. VGG19 has five stages of 64, 128, 256, 512 and 512 channels at strides 1, 2, 4, 8 and
        16. Stages 1 and 2 have two convolutions, the others four; each is called conv and followed by its relu, as
        in conv5_4 and relu5_4, and each stage ends in a pool, which doubles the stride. ESRGAN looks at conv5_4,
        SRGAN at relu5_4. ResNet34 begins with conv1, norm1, relu1 and pool1. Then come stage1 with blocks 1 to 3,
        64 channels, stride 4; stage2 with blocks 4 to 7, 128 channels, stride 8; stage3 with blocks 8 to 13, 256
        channels, stride 16; stage4 with blocks 14 to 16, 512 channels, stride 32.""",
    )
    columns = [18 + 177 * stage for stage in range(5)]
    d.label(18, 30, "VGG19", 18, "start", font_weight="bold")
    heads = []
    for stage, (x, convs, channels) in enumerate(zip(columns, (2, 2, 4, 4, 4), (64, 128, 256, 512, 512), strict=True)):
        heads.append(d.box(x, 44, 156, 66, f"stage {stage + 1}", "maps", f"{channels} channels\nstride {2**stage}"))
        for conv in range(convs):
            for side, name in enumerate(("conv", "relu")):
                marks = {("conv", 4, 3): PLOTS["ESRGAN"], ("relu", 4, 3): PLOTS["SRGAN"]}
                mark = marks.get((name, stage, conv))
                look = {"stroke": mark, "stroke_width": 4} if mark else {}
                role = "frozen" if name == "conv" else "fixed"
                d.box(x + 80 * side, 120 + 36 * conv, 76, 30, f"{name}{stage + 1}_{conv + 1}", role, size=15, **look)
        d.box(x, 120 + 36 * convs, 156, 30, f"pool{stage + 1}", "fixed", size=15)
    d.label(columns[4] + 38, 320, "ESRGAN", 15, font_weight="bold")
    d.label(columns[4] + 118, 320, "SRGAN", 15, font_weight="bold")
    legend = (
        "conv: before the activation, any sign",
        "relu: after it, negative values are 0",
        "pool: halves the maps, so the stride doubles",
        "stride n: one value for n × n pixels",
        "grey: with weights, frozen in a content loss",
    )
    d.label(18, 258, "\n".join(legend), 15, "start", fill=NOTE)
    d.label(18, 380, "ResNet34", 18, "start", font_weight="bold")
    heads += [d.box(columns[0], 394, 156, 66, "first layers", "maps", "64 channels\nstride 2")]
    for place, name in enumerate(("conv1", "norm1", "relu1")):
        x, y = columns[0] + 80 * (place % 2), 470 + 36 * (place // 2)
        d.box(x, y, 76, 30, name, "fixed" if name == "relu1" else "frozen", size=15)
    d.box(columns[0], 542, 156, 30, "pool1", "fixed", size=15)
    block = 1
    for stage, (x, count) in enumerate(zip(columns[1:], (3, 4, 6, 3), strict=True), start=1):
        note = f"{32 * 2**stage} channels\nstride {2 * 2**stage}"
        heads.append(d.box(x, 394, 156, 66, f"stage{stage}", "maps", note))
        for place in range(count):
            d.box(x + 80 * (place % 2), 470 + 36 * (place // 2), 76, 30, f"block{block}", "frozen", size=15)
            block += 1
    for one, two in itertools.pairwise(heads):
        if one.y == two.y:
            d.arrow(one.right, two.left)
    legend = (
        "A block is two convolutions with batch norm and ReLU, and a skip. Its name means what comes out at its",
        "end, after the ReLU. stage2 is its last block, block7. ResNet18 has two blocks in each stage.",
    )
    d.label(18, 606, "\n".join(legend), 15, "start", fill=NOTE)
    return d


def content_loss() -> Drawing:
    """SR and HR before the same frozen network."""
    d = Drawing(
        400,
        "A content loss",
        """The generator makes sr of lr. sr and hr go through the same frozen network, such as VGG19 up to one of its
        layers. The loss is the distance between the feature maps of sr and those of hr. The gradient goes back from
        the loss through the maps of sr, the frozen network and sr to the generator, the only part that learns. None
        goes to hr.""",
    )
    lr = d.image(16, 92, 30, "lr", "lr")
    generator = d.box(80, 72, 116, 70, "generator")
    d.image(250, 47, 120, "sr", "sr")
    d.image(250, 237, 120, "hr", "hr")
    d.box(430, 40, 130, 324, "network", "frozen", "frozen, such as\nVGG19 up to\none layer")
    d.box(622, 72, 56, 70, "", "maps", stack=3)
    d.box(622, 262, 56, 70, "", "maps", stack=3)
    d.label(657, 164, "maps of sr", 15, fill=ROLES["maps"][1])
    d.label(657, 354, "maps of hr", 15, fill=ROLES["maps"][1])
    d.box(760, 160, 124, 84, "loss", "loss", "distance of\nthe maps")
    d.arrow(lr.right, generator.left)
    for x, end, y in ((196, 250, 96), (370, 430, 96), (560, 622, 96), (370, 430, 297), (560, 622, 297)):
        d.arrow((x, y), (end, None))
    for x, end in ((250, 196), (430, 370), (622, 560)):
        d.arrow((x, 122), (end, None), kind="gradient")
    d.arrow((693, 90), (836, None), (None, 160))
    d.arrow((808, 160), (None, 116), (693, None), kind="gradient")
    d.arrow((693, 297), (822, None), (None, 244))
    d.label(138, 166, "the only part that learns", 15, fill=NOTE)
    d.line((70, 366), (110, 366), color=GRADIENT, stroke_dasharray="6 4", stroke_width=2)
    d.label(118, 371, "gradient", 15, "start", fill=GRADIENT)
    d.label(125, 290, "hr is given:\nnothing to learn there", 15, fill=NOTE)
    return d
