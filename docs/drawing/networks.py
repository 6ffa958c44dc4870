"""The drawings of the generators."""

from drawing.pen import INK, NOTE, ROLES, Drawing

TINTS = ("#F6C9A8", "#BFDCF0", "#CDE8C4", "#E3CDEA")  # of the channels in a pixel shuffle


def residual_block() -> Drawing:
    """The blocks of SRResNet and MSRResNet."""
    d = Drawing(
        365,
        "The residual blocks of SRResNet and MSRResNet",
        """Two residual blocks. In SRResNet's block the input x goes through a 3 x 3 convolution, batch norm, PReLU, a
        second 3 x 3 convolution and a second batch norm, and x itself is added at the end over a skip connection.
        In MSRResNet's block it goes through a convolution, ReLU and a convolution, without batch norm, and x is
        added. All maps have the same size, 64 channels.""",
    )
    conv, norm = "conv\n3 × 3", "batch\nnorm"
    rows = {
        "SRResNet": {0: conv, 1: norm, 2: "PReLU", 3: conv, 4: norm},
        "MSRResNet": {0: conv, 2: "ReLU", 3: conv},
    }
    for (name, layers), y in zip(rows.items(), (112, 296), strict=True):
        d.label(20, y - 82, name, 20, "start", font_weight="bold")
        d.box(26, y - 32, 44, 64, "x", "maps", size=20, stack=2)
        d.label(56, y + 56, "64 channels", 18, fill=ROLES["maps"][1])
        start = (80, y)
        for place, text in layers.items():
            layer = d.box(122 + 128 * place, y - 32, 96, 64, text, "fixed" if text == "ReLU" else "learns", size=20)
            d.arrow(start, layer.left)
            start = layer.right
        total = d.plus(778, y)
        d.arrow(start, total.left)
        d.arrow((98, y), (None, y - 60), (778, None), total.top, branch=True)
        d.arrow(total.right, (826, y))
        d.box(826, y - 32, 44, 64, "", "maps", stack=2)
        d.label(438, y - 69, "skip: x as it is", 18, fill=NOTE)
    return d


def srresnet() -> Drawing:
    """SRResNet."""
    d = Drawing(
        265,
        "SRResNet",
        """SRResNet from left to right: lr, a 9 x 9 convolution to 64 channels with PReLU, 16 residual blocks, a
        convolution with batch norm, a sum with what came out of the first layer (a long skip), twice a convolution
        to 256 channels followed by a pixel shuffle and PReLU, each of which doubles height and width, and a 9 x 9
        convolution to the 3 channels of sr. All but the last three stages work at the size of lr.""",
    )
    y = 132
    lr = d.image(12, y - 12.5, 25, "lr", "lr")
    head = d.box(56, y - 54, 78, 108, "conv\n9 × 9\nPReLU", size=18)
    blocks = d.box(164, y - 54, 100, 108, "16 ×\nresidual\nblock", size=18, stack=2)
    fuse = d.box(298, y - 54, 80, 108, "conv\n3 × 3\nbatch\nnorm", size=18)
    total = d.plus(412, y)
    ups = [d.box(x, y - 62, 110, 124, "conv 3 × 3\nto 256\nshuffle × 2\nPReLU", size=18) for x in (448, 580)]
    tail = d.box(712, y - 54, 68, 108, "conv\n9 × 9", size=18)
    sr = d.image(804, y - 43, 86, "sr", "sr")
    d.chain(lr, head, blocks)
    d.chain(fuse, total, *ups, tail, sr)
    d.arrow((274, y), fuse.left)
    d.arrow((144, y), (None, y - 90), (412, None), total.top, branch=True)
    d.label(888, 26, "at scale 4", 18, "end", fill=NOTE)
    d.label(278, y - 98, "long skip", 18, fill=NOTE)
    for x, width, text in ((56, 369, "64 channels, h × w"), (448, 110, "2h × 2w"), (580, 200, "4h × 4w")):
        d.span(x, y + 84, width, text, 18)
    d.label(26, y + 110, "h × w", 18, fill=ROLES["maps"][1])
    d.label(847, y + 110, "4h × 4w", 18, fill=ROLES["maps"][1])
    return d


def msrresnet() -> Drawing:
    """MSRResNet."""
    d = Drawing(
        385,
        "MSRResNet and its bilinear skip",
        """MSRResNet in two ways that meet. Above, lr goes through a 3 x 3 convolution with leaky ReLU, 16 residual
        blocks without batch norm, twice a convolution to 256 channels with a pixel shuffle and leaky ReLU, and two
        more convolutions, which give the fine detail, 4h x 4w. Below, lr is enlarged by bilinear interpolation,
        which gives a blurry picture of the same size. Their sum is sr.""",
    )
    y = 112
    lr = d.image(6, y - 12.5, 25, "lr", "lr")
    head = d.box(64, y - 54, 76, 108, "conv\n3 × 3\nleaky\nReLU", size=18)
    blocks = d.box(164, y - 54, 110, 108, "16 ×\nblock\nwithout\nbatch norm", size=18, stack=2)
    ups = [d.box(x, y - 62, 110, 124, "conv 3 × 3\nto 256\nshuffle × 2\nleaky ReLU", size=18) for x in (308, 440)]
    tail = d.box(572, y - 62, 104, 124, "conv 3 × 3\nleaky ReLU\nconv 3 × 3\nto 3", size=18)
    detail = d.image(700, y - 32, 64, "detail", "detail")
    for one, two in ((lr, head), (head, blocks), ups, (ups[1], tail), (tail, detail)):
        d.arrow(one.right, two.left)
    d.arrow((284, y), ups[0].left)
    for x, width, text in ((64, 220, "64 channels, h × w"), (308, 110, "2h × 2w"), (440, 236, "4h × 4w")):
        d.span(x, y + 74, width, text, 18)
    enlarge = d.box(308, 272, 242, 58, "bilinear × 4\nnothing to learn", "fixed", size=18)
    smooth = d.image(700, 269, 64, "bilinear", "bilinear")
    d.arrow((41, y), (None, 301), enlarge.left, branch=True)
    d.arrow(enlarge.right, smooth.left)
    d.label(888, 26, "at scale 4", 18, "end", fill=NOTE)
    total = d.plus(792, 206)
    d.arrow(detail.right, (792, None), total.top)
    d.arrow(smooth.right, (792, None), total.bottom)
    sr = d.image(828, 172, 68, "sr", "sr")
    d.arrow(total.right, sr.left)
    return d


def pixel_shuffle() -> Drawing:
    """Channels become pixels."""
    d = Drawing(
        340,
        "Pixel shuffle by 2",
        """Left, four channels of 3 x 3 values, each in a colour of its own. Right, one channel of 6 x 6 values. Each 2
        x 2 square of it holds the four values that stood at one place of the four channels: channel 0 above left, 1
        above right, 2 below left, 3 below right.""",
    )
    for channel, color in enumerate(TINTS):
        left, top = 30 + 136 * (channel % 2), 40 + 142 * (channel // 2)
        d.label(left + 54, top - 10, f"channel {channel}", 15)
        for place in range(9):
            row, column = divmod(place, 3)
            d.box(left + 36 * column, top + 36 * row, 36, 36, str(place + 1), fill=color, stroke=INK, rx=0)
            x, y = 420 + 42 * (2 * column + channel % 2), 40 + 42 * (2 * row + channel // 2)
            d.box(x, y, 42, 42, str(place + 1), fill=color, stroke=INK, rx=0)
    for place in range(9):
        row, column = divmod(place, 3)
        d.add(
            "rect", x=420 + 84 * column, y=40 + 84 * row, width=84, height=84, fill="none", stroke=INK, stroke_width=3
        )
    d.arrow((290, 166), (410, 166))
    d.label(350, 152, "pixel shuffle")
    d.label(350, 192, "s = 2", 18, fill=NOTE)
    d.label(546, 28, "one channel, twice as large", 15)
    d.label(
        696, 112, "Each 2 × 2 square\nholds the values\nof one place,\none from each\nof the 4 channels.", 17, "start"
    )
    d.label(696, 232, "Nothing is\ncomputed,\nonly moved.", 17, "start")
    d.label(152, 322, "4 channels, 3 × 3", 15, fill=ROLES["maps"][1])
    d.label(546, 322, "1 channel, 6 × 6", 15, fill=ROLES["maps"][1])
    return d


def rrdb() -> Drawing:
    """RRDBNet, and what is inside."""
    d = Drawing(
        745,
        "RRDBNet, RRDB and dense block",
        """Three drawings, each of which shows the inside of a part of the one above. RRDBNet: lr, a convolution from 3
        to 64 channels, 23 RRDBs, a convolution, a sum with what came out of the first one, twice an enlargement by
        2 (nearest neighbour) with a convolution and leaky ReLU, and two convolutions to sr. RRDB: three dense
        blocks in a row, times 0.2, plus the input. Dense block: four convolutions with leaky ReLU, each of which
        sees everything before it, 64, 96, 128 and 160 channels, and adds 32; a fifth makes 64 of the 192; times
        0.2, plus the input.""",
    )
    blue = ROLES["maps"][1]
    y = 110
    d.label(14, 28, "RRDBNet", 18, "start", font_weight="bold")
    lr = d.image(14, y - 12.5, 25, "lr", "lr")
    head = d.box(66, y - 42, 70, 84, "conv", note="3 → 64")
    blocks = d.box(166, y - 42, 92, 84, "23 ×\nRRDB", stack=2)
    fuse = d.box(296, y - 42, 76, 84, "conv", note="64 → 64")
    total = d.plus(406, y)
    ups = [d.box(x, y - 52, 96, 104, "nearest × 2\nconv\nleaky ReLU", note="64 → 64", size=15) for x in (446, 568)]
    tail = d.box(690, y - 52, 92, 104, "conv\nleaky ReLU\nconv", note="64 → 3", size=15)
    sr = d.image(808, y - 40, 80, "sr", "sr")
    d.chain(lr, head, blocks)
    d.chain(fuse, total, *ups, tail, sr)
    d.arrow((268, y), fuse.left)
    d.arrow((142, y), (None, y - 68), (406, None), total.top, branch=True)
    d.label(888, 24, "at scale 4", 15, "end", fill=NOTE)
    # RRDB
    d.box(14, 224, 872, 150, "", "plain")
    d.line((166, 152), (14, 224), color="#BBBBBB")
    d.line((258, 152), (886, 224), color="#BBBBBB")
    y = 316
    d.label(26, 252, "RRDB", 18, "start", font_weight="bold")
    dense = [d.box(x, y - 32, 140, 64, "dense block", note="64 → 64") for x in (120, 306, 492)]
    scale = d.box(684, y - 24, 64, 48, "× 0.2", "fixed")
    total = d.plus(800, y)
    for one, two in ((dense[0], dense[1]), (dense[1], dense[2]), (dense[2], scale), (scale, total)):
        d.arrow(one.right, two.left)
    d.arrow((30, y), dense[0].left)
    d.arrow(total.right, (876, y))
    d.arrow((72, y), (None, y - 54), (800, None), total.top, branch=True)
    # dense block
    d.box(14, 448, 872, 284, "", "plain")
    d.line((306, 348), (14, 448), color="#BBBBBB")
    d.line((446, 348), (886, 448), color="#BBBBBB")
    d.label(26, 476, "Dense block", 18, "start", font_weight="bold")
    top, unit = 546, 26  # of the bars: so many pixels for 32 channels
    x, middle = 62, 546 + 3 * 26
    for conv in range(5):
        for part in range(conv + 1):
            d.box(x, top + unit * (part + (part > 0)), 26, unit * (1 + (part == 0)), "", "maps", rx=0)
        d.label(x + 13, top - 8, str(64 + 32 * conv), 15, fill=blue)
        if conv < 4:
            bottom = top + unit * (conv + 2)
            box = d.box(x + 43, bottom - 10, 78, 46, "conv", note=f"{64 + 32 * conv} → 32", size=16)
            d.arrow((x + 13, bottom), (None, bottom + 13), box.left)
            d.arrow(box.right, (x + 138, None))
            d.arrow((x + 26, top + unit), (x + 138, None), kind=blue)
        x += 138
    last = d.box(658, middle - 23, 80, 46, "conv", note="192 → 64", size=16)
    scale = d.box(758, middle - 20, 54, 40, "× 0.2", "fixed", size=16)
    total = d.plus(846, middle)
    d.arrow((640, middle), last.left)
    d.arrow(last.right, scale.left)
    d.arrow(scale.right, total.left)
    d.arrow(total.right, (886, middle))
    d.arrow((20, top + unit), (62, None))
    d.arrow((38, top + unit), (None, top - 44), (846, None), total.top, branch=True)
    d.label(874, 700, "the first four with leaky ReLU", 15, "end", fill=NOTE)
    d.label(874, 720, "blue: what was there is kept", 15, "end", fill=blue)
    return d
