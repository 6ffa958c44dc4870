import copy
import os

from torch.nn.utils.parametrizations import spectral_norm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Checkpoint:
    def __init__(self, file, parts):
        self.file, self.parts = Path(file), parts

    def save(self, done):
        states = {}
        for name, part in self.parts.items():
            states[name] = part.get_state() if isinstance(part, torch.Generator) else part.state_dict()
        unfinished = self.file.with_suffix(".unfinished")
        torch.save({"done": done, "states": states}, unfinished)
        os.replace(unfinished, self.file)  # all or nothing

    def load(self):
        if not self.file.is_file():
            return 0
        saved = torch.load(self.file, weights_only=True)
        for name, part in self.parts.items():
            state = saved["states"][name]
            part.set_state(state) if isinstance(part, torch.Generator) else part.load_state_dict(state)
        return saved["done"]


def fit(step, iters, checkpoint=None, stop=None):
    done = checkpoint.load() if checkpoint else 0
    end = iters if stop is None else min(stop, iters)
    results = []
    try:
        while done < end:
            results.append(step())
            done += 1
            if checkpoint and done % 100 == 0:
                checkpoint.save(done)
    finally:
        if checkpoint:
            checkpoint.save(done)
    return results


def train(photos, iters, seed, file=None, stop=None):
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    generator = Generator()
    optimizer = torch.optim.Adam(generator.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=iters)

    def step():
        loss = train_step(generator, optimizer, *sample_pairs(photos, 8, 24, random))
        schedule.step()
        return loss

    parts = {"generator": generator, "optimizer": optimizer, "schedule": schedule, "random": random}
    return generator, fit(step, iters, Checkpoint(file, parts) if file else None, stop)


class Discriminator(nn.Module):
    def __init__(self, features=32):
        super().__init__()

        def layer(channels, width, size, stride):
            return spectral_norm(nn.Conv2d(channels, width, size, stride, 1)), nn.LeakyReLU(0.2)

        self.layers = nn.Sequential(
            *layer(6, features, 3, 1),
            *layer(features, 2 * features, 4, 2),
            *layer(2 * features, 2 * features, 3, 1),
            *layer(2 * features, 4 * features, 4, 2),
            spectral_norm(nn.Conv2d(4 * features, 1, 3, padding=1)),
        )

    def forward(self, image):
        if self.training:  # or D finds faint patterns that no eye sees, and G learns them
            image = image + 0.05 * torch.randn_like(image)
        fine = image - F.avg_pool2d(image, 5, stride=1, padding=2, count_include_pad=False)
        return self.layers(torch.cat([4 * image - 2, 16 * fine], dim=1))  # fine structure is faint: make it loud


def d_loss(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def g_loss(sr, hr, discriminator):
    kept = F.l1_loss(F.avg_pool2d(sr, SCALE), F.avg_pool2d(hr, SCALE))
    return kept + 0.3 * F.l1_loss(sr, hr) + 0.01 * F.softplus(-discriminator(sr)).mean()


def train_gan(photos, network, iters, seed, file=None, stop=None):
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    gan, discriminator = copy.deepcopy(network).train(), Discriminator()
    average = AveragedModel(gan, multi_avg_fn=get_ema_multi_avg_fn(0.996))
    g_optimizer = torch.optim.Adam(gan.parameters(), 2e-4, betas=(0.5, 0.99))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), 4e-4, betas=(0.5, 0.99))

    def step():
        pairs = sample_pairs(photos, 8, 8, random)
        losses = gan_step(gan, discriminator, g_optimizer, d_optimizer, *pairs, d_loss, g_loss)
        average.update_parameters(gan)
        return losses

    parts = {"gan": gan, "discriminator": discriminator, "g_optimizer": g_optimizer, "d_optimizer": d_optimizer}
    parts |= {"average": average, "pairs": random, "noise": torch.default_generator}
    log = fit(step, iters, Checkpoint(file, parts) if file else None, stop)
    return average.module, log
