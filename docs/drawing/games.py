"""The drawings of generator against discriminator."""

from drawing.pen import GRADIENT, INK, NOTE, ROLES, Drawing

MARK = "#0D4797"  # around what is spoken of


def gan_game() -> Drawing:
    """Who sees what, and what each wants."""
    d = Drawing(
        462,
        "The game of generator and discriminator",
        """The generator G sees lr and makes sr. The discriminator D sees pictures, some of them hr and some of them
        sr, and gives each a number, the logit: high for real, low for made. D wants high logits for hr and low ones
        for sr. G wants a high logit for sr; of hr it sees nothing and learns only from the gradient that comes to
        it through D.""",
    )
    lr = d.image(20, 150, 30, "lr", "lr")
    generator = d.box(90, 125, 110, 80, "G", note="generator")
    d.image(260, 110, 110, "sr", "sr", "made by G")
    hr = d.image(260, 300, 110, "hr", "hr", "real")
    judge = d.box(480, 192, 124, 100, "D", note="discriminator")
    d.label(145, 228, "sees lr, never hr", 15, fill=NOTE)
    d.label(542, 314, "sees sr and hr", 15, fill=NOTE)
    d.arrow(lr.right, generator.left)
    d.arrow((200, 152), (260, None))
    d.arrow((370, 180), (425, None), (None, 225), (480, None))
    d.arrow(hr.right, (425, None), (None, 259), (480, None))
    d.arrow((542, 192), (None, 136), (370, None), kind="gradient")
    d.arrow((260, 178), (200, None), kind="gradient")
    d.label(462, 86, "gradient: how sr should\nchange to look real", 15, fill=GRADIENT)
    # The logits, and who wants them where.
    d.arrow(judge.right, (686, 242))
    d.label(645, 230, "logit", 15, fill=NOTE)
    d.line((690, 76), (690, 408), color=INK, stroke_width=2)
    d.line((682, 242), (698, 242), color=INK, stroke_width=2)
    d.label(704, 247, "0", 15, "start", fill=NOTE)
    d.label(690, 62, "looks real", 15, fill=NOTE)
    d.label(690, 430, "looks fake", 15, fill=NOTE)
    d.image(702, 124, 40, "hr")
    d.image(702, 320, 40, "sr")
    d.arrow((722, 122), (None, 84))
    d.arrow((712, 362), (None, 400))
    d.arrow((732, 318), (None, 280))
    for x, y, text in ((740, 106, "D wants hr up"), (740, 390, "D wants sr down"), (746, 304, "G wants sr up")):
        d.label(x, y, text, 17, "start", font_weight="bold")
    return d


def gan_step() -> Drawing:
    """One training step of both."""
    d = Drawing(
        575,
        "One training step of a GAN",
        """Two halves of one step. First D learns: G makes sr of lr; sr is detached, so that no gradient goes back to
        G; D gives logits for the detached sr and for hr; the loss of D sends its gradient into D alone. Then G
        learns: the same sr, not detached this time, goes through D, whose weights are frozen; the loss of G sends
        its gradient back through D and sr to G, and only G changes.""",
    )
    for top, title in ((0, "1. D learns"), (310, "2. G learns")):
        d.label(20, top + 32, title, 18, "start", font_weight="bold")
    d.line((0, 304), (900, 304), color="#BBBBBB")
    # D's half
    lr = d.image(20, 85, 30, "lr", "lr")
    generator = d.box(84, 62, 100, 76, "G", "frozen", "stays as it is")
    sr = d.image(228, 55, 90, "sr", "sr")
    hr = d.image(228, 186, 90, "hr", "hr")
    cut = d.box(366, 72, 120, 56, "detach", "fixed", "sr.detach()")
    d.box(540, 62, 110, 214, "D", note="learns")
    d.box(736, 124, 148, 90, "loss of D", "loss", "hr real?\nsr made?")
    for one, two in ((lr, generator), (generator, sr), (sr, cut)):
        d.arrow(one.right, two.left)
    d.arrow(cut.right, (540, 100))
    d.arrow(hr.right, (540, 231))
    d.arrow((650, 100), (790, None), (None, 124))
    d.arrow((650, 231), (790, None), (None, 214))
    d.arrow((736, 169), (650, 169), kind="gradient")
    d.label(700, 90, "logit of sr", 15, fill=NOTE)
    d.label(700, 252, "logit of hr", 15, fill=NOTE)
    d.label(693, 160, "gradient", 15, fill=GRADIENT)
    d.label(426, 150, "no gradient to G", 15, fill=GRADIENT)
    # G's half
    lr = d.image(20, 425, 30, "lr", "lr")
    generator = d.box(84, 402, 100, 76, "G", note="learns")
    d.image(228, 395, 90, "sr", "sr", "the same as above")
    d.box(540, 372, 110, 136, "D", "frozen", "frozen")
    d.box(736, 395, 148, 90, "loss of G", "loss", "does sr\nlook real?")
    d.arrow(lr.right, generator.left)
    for x, end in ((184, 228), (318, 540), (650, 736)):
        d.arrow((x, 427), (end, None))
    for x, end in ((736, 650), (540, 318), (228, 184)):
        d.arrow((x, 453), (end, None), kind="gradient")
    d.label(693, 416, "logit of sr", 15, fill=NOTE)
    d.label(429, 416, "not detached", 15, fill=NOTE)
    d.label(429, 478, "gradient, through D,", 15, fill=GRADIENT)
    d.label(429, 498, "which does not change", 15, fill=GRADIENT)
    return d


def patch_discriminator() -> Drawing:
    """A logit for each neighbourhood."""
    d = Drawing(
        430,
        "A patch discriminator",
        """Above, a patch discriminator turns a picture of 96 x 96 pixels into a grid of 24 x 24 logits, and each logit
        has seen only 28 x 28 pixels around its place. Here a grid of 5 x 5 stands for it, with positive logits
        where the picture looks real and negative ones where it looks fake. Below, SRGAN's discriminator gives one
        logit for the whole picture.""",
    )
    d.label(20, 32, "Patch discriminator: a logit for each neighbourhood", 18, "start", font_weight="bold")
    d.label(20, 288, "SRGAN's discriminator: one logit for all", 18, "start", font_weight="bold")
    d.image(30, 58, 160, "sr", "", "a picture, 96 × 96 pixels")
    judge = d.box(300, 98, 150, 80, "D", note="convolutions only")
    values = (8, -2, -11, 3, 9, 6, -9, -13, -4, 7, -3, 10, -6, -15, 4, 9, -5, -8, 12, 5, 11, 6, -7, 2, 8)
    for place, value in enumerate(values):
        row, column = divmod(place, 5)
        color = "#BFDCF0" if value > 0 else "#F6C9A8"
        text = f"{value / 10:+.1f}".replace("-", "−")
        d.box(560 + 44 * column, 28 + 44 * row, 44, 44, text, fill=color, stroke="#FFFFFF", rx=0, size=15)
    d.box(118.7, 114.7, 46.6, 46.6, "", "plain", stroke=MARK, stroke_width=3, rx=0)
    d.box(692, 116, 44, 44, "", "plain", stroke=MARK, stroke_width=3, rx=0)
    d.arrow((190, 138), judge.left)
    d.arrow(judge.right, (560, 138))
    d.label(670, 268, "24 × 24 logits, drawn as 5 × 5", 15, fill=NOTE)
    d.label(796, 108, "This logit\nhas seen\n28 × 28\npixels.", 15, "start", fill=MARK)
    d.image(60, 306, 100, "sr")
    whole = d.box(300, 316, 150, 80, "D", note="ends in linear layers")
    d.arrow((160, 356), whole.left)
    answer = d.box(648, 334, 44, 44, "−0.3", fill="#F6C9A8", stroke="#FFFFFF", rx=0, size=15)
    d.arrow(whole.right, answer.left)
    return d


def ragan_game() -> Drawing:
    """Each logit against the mean of the other side."""
    d = Drawing(
        430,
        "The relativistic average game",
        """Two number lines of logits, from looks fake on the left to looks real on the right. On the upper one stand
        the logits of four hr pictures and their mean, on the lower one those of four sr pictures and their mean,
        further left. One arrow measures how far a logit of hr lies above the mean of sr, another how far a logit of
        sr lies below the mean of hr. D wants both arrows long; G wants the opposite.""",
    )
    d.image(20, 74, 100, "hr", "hr")
    d.image(20, 226, 100, "sr", "sr")
    d.box(168, 74, 70, 252, "D")
    d.arrow((120, 124), (168, None))
    d.arrow((120, 276), (168, None))
    real, fake = (640, 700, 772, 808), (356, 404, 468, 552)
    mean_real, mean_fake = sum(real) / 4, sum(fake) / 4
    d.arrow((238, 124), (886, 124), kind="#999999")
    d.arrow((238, 276), (886, 276), kind="#999999")
    look = {"color": INK, "stroke_dasharray": "2 4", "stroke_width": 2}
    d.line((mean_real, 94), (mean_real, 300), **look)
    d.line((mean_fake, 100), (mean_fake, 306), **look)
    d.label(mean_real, 84, "mean of hr", 15)
    d.label(mean_fake, 326, "mean of sr", 15)
    color = ROLES["maps"][1]
    for dots, y, fill, chosen, other, level in (
        (real, 124, INK, real[2], mean_fake, 160),
        (fake, 276, "#FFFFFF", fake[1], mean_real, 236),
    ):
        d.line((chosen, y), (chosen, level), color=color)
        d.arrow((other, level), (chosen, None), kind=color)
        for x in dots:
            d.add("circle", cx=x, cy=y, r=7, fill=fill, stroke=INK, stroke_width=2)
    d.label(588, 182, "hr: how far above the mean of sr?", 15, fill=color)
    d.label(580, 226, "sr: how far below the mean of hr?", 15, fill=color)
    d.label(250, 40, "← looks fake", 15, "start", fill=NOTE)
    d.label(568, 40, "each dot is the logit of one picture", 15, fill=NOTE)
    d.label(886, 40, "looks real →", 15, "end", fill=NOTE)
    d.label(168, 372, "D wants", 17, "start", font_weight="bold")
    d.label(250, 372, "both arrows long: hr above the mean of sr, sr below the mean of hr", 17, "start")
    d.label(168, 404, "G wants", 17, "start", font_weight="bold")
    d.label(250, 404, "the opposite", 17, "start")
    return d
