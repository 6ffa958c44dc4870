DETAIL = 0.1  # about the standard deviation of HR minus upscaled LR, so that data is about as large as noise


def upscaled(lr):
    return F.interpolate(lr, scale_factor=SCALE, mode="bicubic")


class TimedBlock(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.norm = nn.GroupNorm(8, features)
        self.time = nn.Linear(features, 2 * features)
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x, time):
        scale, shift = self.time(time)[:, :, None, None].chunk(2, dim=1)
        return x + self.conv2(F.silu(self.conv1(F.silu(self.norm(x) * (1 + scale) + shift))))


class Flow(nn.Module):
    def __init__(self, num_blocks=6, features=64):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(32, features), nn.SiLU(), nn.Linear(features, features), nn.SiLU())
        self.head = nn.Conv2d(3 * SCALE**2 + 3, features, 3, padding=1)
        self.blocks = nn.ModuleList(TimedBlock(features) for _ in range(num_blocks))
        self.gain = nn.Linear(features, 3 * SCALE**2)
        self.last = nn.Conv2d(features, 3 * SCALE**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)  # a start that fits no image better than others

    def forward(self, x, t, lr):
        angles = 3.14 * t[:, None] * torch.arange(1, 17, device=t.device)
        time = self.time(torch.cat([angles.sin(), angles.cos()], dim=1))
        x = F.pixel_unshuffle(x, SCALE)
        features = self.head(torch.cat([x, 4 * lr - 2], dim=1))
        for block in self.blocks:
            features = block(features, time)
        noisy = self.gain(time)[:, :, None, None] * x  # blocks have too few features to pass on the noise of each pixel
        return F.pixel_shuffle(self.last(F.silu(features)) + noisy, SCALE)


def flow_loss(flow, lr, hr, random):
    data = (hr - upscaled(lr)) / DETAIL
    noise = torch.randn(data.shape, generator=random)
    t = torch.rand(len(data), generator=random)
    part = t.view(-1, 1, 1, 1)
    velocity = flow((1 - part) * noise + part * data, t, lr)
    return F.mse_loss(velocity, data - noise)


def sample(flow, lr, steps, random):
    was_training = flow.training
    x = walk(flow.eval(), torch.randn(upscaled(lr).shape, generator=random), lr, steps)
    flow.train(was_training)
    return upscaled(lr) + DETAIL * x


def train_flow(photos, iters, seed, file=None, stop=None):
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    flow = Flow()
    optimizer = torch.optim.Adam(flow.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=iters, pct_start=0.05)

    def step():
        loss = flow_loss(flow, *sample_pairs(photos, 8, 12, random), random)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss.item()

    parts = {"flow": flow, "optimizer": optimizer, "schedule": schedule, "random": random}
    return flow, fit(step, iters, Checkpoint(file, parts) if file else None, stop)
