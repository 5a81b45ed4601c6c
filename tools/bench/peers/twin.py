"""The reference victims as PyTorch modules, written from their specifications alone: an independent second opinion.

A twin takes `waveform` [batch, samples] and `frames` [batch, frames, 3, height, width] and gives the logits, and, while it
trains, those of the branch heads. Parameters carry the names that the project gives them.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

NORMALISATION_EPSILON = 1e-3
PIXEL_MEAN, PIXEL_GAIN = 0.5, 4.0
SCALE_CORNER_HZ = 1000
TAPER_SHARE = 0.25
OVERLAPPING_TAPER_SHARE = 1.0
POWER_FLOOR = 1e-6
LOG_POWER_MEAN, LOG_POWER_DEVIATION = -11, 2.5


class FrontEnd(nn.Module):
    """Waveform [batch, samples] -> log band power [batch, 1, steps, bands]."""

    def __init__(self, spec):
        super().__init__()
        front, rate = spec["frontEnd"], spec["waveform"]["sampleRateHz"]
        self.steps = spec["waveform"]["samples"] // front["stepSamples"]
        self.bands = front["bands"]
        self.windows = []
        for index, resolution in enumerate(front["resolutions"]):
            window = resolution["windowSamples"]
            spacing = rate / window
            bins = np.arange(math.ceil(resolution["fromHz"] / spacing), resolution["toHz"] // spacing + 1) * spacing
            overlapping = window == 2 * front["stepSamples"]
            count = 1 if overlapping else front["stepSamples"] // window
            taper = OVERLAPPING_TAPER_SHARE if overlapping else TAPER_SHARE
            basis = fourier_basis(window, bins, rate, taper)
            self.register_buffer(f"basis{index}", torch.tensor(basis, dtype=torch.float32))
            gather = band_matrix(front, bins, count)
            self.register_buffer(f"gather{index}", torch.tensor(gather, dtype=torch.float32))
            self.windows.append(window)

    def forward(self, waveform):
        total = 0
        for index, window in enumerate(self.windows):
            gather = getattr(self, f"gather{index}")
            heard = waveform
            if window * self.steps > waveform.shape[1]:
                # Each step with the one after it, silence after the last.
                each = waveform.reshape(len(waveform), self.steps, -1)
                heard = torch.cat([each, F.pad(each, (0, 0, 0, 1))[:, 1:]], 2)
            spectrum = heard.reshape(-1, window) @ getattr(self, f"basis{index}")
            total = total + (spectrum * spectrum).reshape(-1, gather.shape[0]) @ gather
        normalised = (torch.log(total + POWER_FLOOR) - LOG_POWER_MEAN) / LOG_POWER_DEVIATION
        return normalised.reshape(-1, 1, self.steps, self.bands)


def fourier_basis(window, bins, rate, taper_share):
    position = np.arange(window)
    edge = np.minimum(position + 0.5, window - position - 0.5)
    ramp = taper_share / 2 * window
    taper = np.where(edge >= ramp, 1, 0.5 - 0.5 * np.cos(np.pi * edge / ramp))
    angle = 2 * np.pi * position[:, None] * bins[None, :] / rate
    scaled = (2 / taper.sum() * taper)[:, None]
    return np.concatenate([scaled * np.cos(angle), scaled * np.sin(angle)], axis=1)


def band_matrix(front, bins, windows):
    def scale(hertz):
        return np.log1p(np.asarray(hertz) / SCALE_CORNER_HZ)

    low = scale(min(r["fromHz"] for r in front["resolutions"]))
    high = scale(max(r["toHz"] for r in front["resolutions"]))
    position = (scale(bins) - low) / (high - low) * (front["bands"] - 1)
    band = np.clip(np.floor(position), 0, front["bands"] - 2).astype(int)
    share = np.clip(position - band, 0, 1)
    matrix = np.zeros((len(bins), front["bands"]))
    matrix[np.arange(len(bins)), band] = (1 - share) / windows
    matrix[np.arange(len(bins)), band + 1] = share / windows
    return np.tile(matrix, (2 * windows, 1))


class Block(nn.Module):
    """Convolution, batch normalisation, Relu; without normalisation where it is folded into weight and bias."""

    def __init__(self, inputs, channels, kernel, stride, folded, padding=None):
        super().__init__()
        self.stride = stride
        self.padding = [(size - 1) // 2 for size in kernel] if padding is None else padding
        self.weight = nn.Parameter(torch.empty(channels, inputs, *kernel))
        self.folded = folded
        if folded:
            self.bias = nn.Parameter(torch.zeros(channels))
        else:
            self.scale = nn.Parameter(torch.ones(channels))
            self.shift = nn.Parameter(torch.zeros(channels))

    def finish(self, y):
        if not self.folded:
            y = F.batch_norm(y, None, None, self.scale, self.shift, training=True, eps=NORMALISATION_EPSILON)
        return F.relu(y)

    def forward(self, x):
        bias = self.bias if self.folded else None
        return self.finish(F.conv2d(x, self.weight, bias, self.stride, self.padding))


class PatchBlock(Block):
    """A block on square patches; `beside` are further input channels on the grid of the patches."""

    def __init__(self, inputs, channels, side, folded, beside=0):
        super().__init__(inputs, channels, [side, side], [side, side], folded, padding=[0, 0])
        self.beside = nn.Parameter(torch.empty(channels, beside, 1, 1)) if beside else None

    def forward(self, x, beside=None):
        y = F.conv2d(x, self.weight, self.bias if self.folded else None, self.stride)
        return self.finish(y if beside is None else y + F.conv2d(beside, self.beside))


class Dense(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return torch.addmm(self.bias, x, self.weight)


def stack(inputs, specs, folded):
    blocks = nn.ModuleDict()
    for index, spec in enumerate(specs):
        blocks[str(index + 1)] = Block(inputs, spec["channels"], spec["kernel"], spec["stride"], folded)
        inputs = spec["channels"]
    return blocks, inputs


def through(blocks, x):
    for key in sorted(blocks.keys(), key=int):
        if key != "0":
            x = blocks[key](x)
    return x


def summary(x, axis):
    return torch.cat([x.mean(axis), x.amax(axis)], 1)


class Twin(nn.Module):
    """Common parts. `folded`: the exported form; otherwise the training form with branch heads."""

    def __init__(self, spec, folded):
        super().__init__()
        self.spec, self.is_folded = spec, folded
        self.front = FrontEnd(spec)
        self.per_moment = spec["patches"]["frames"]
        self.moments = spec["frames"]["frames"] // self.per_moment
        self.embedding, self.labels = spec["embedding"], spec["labels"]

    def pictures(self, frames):
        size = self.spec["frames"]
        each = frames.reshape(-1, 3 * self.per_moment, size["height"], size["width"])
        return (each - PIXEL_MEAN) * PIXEL_GAIN

    def two_branches(self):
        patches = self.spec["patches"]
        self.audio, heard = stack(1, self.spec["audio"], self.is_folded)
        self.video, seen = stack(patches["channels"], self.spec["video"], self.is_folded)
        inputs = 3 * self.per_moment
        self.video["0"] = PatchBlock(inputs, patches["channels"], patches["side"], self.is_folded)
        return heard, seen

    def watch(self, frames):
        """[batch, moments, channels]"""
        maps = through(self.video, self.video["0"](self.pictures(frames)))
        return maps.mean((2, 3)).reshape(-1, self.moments, maps.shape[1])

    def joint_parts(self, inputs):
        self.fusion = nn.ModuleDict({"embed": Dense(inputs, self.embedding)})
        self.head = Dense(self.embedding, self.labels)

    def branch_heads(self, heard, seen):
        if not self.is_folded:
            self.audio["head"], self.video["head"] = Dense(heard, self.labels), Dense(seen, self.labels)


class Late(Twin):
    def __init__(self, spec, folded):
        super().__init__(spec, folded)
        heard, seen = self.two_branches()
        self.joint_parts(self.embedding)
        self.audio_embed, self.video_embed = Dense(2 * heard, self.embedding), Dense(2 * seen, self.embedding)
        self.audio_share, self.video_share = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
        if not folded:
            self.audio_head = Dense(self.embedding, self.labels)
            self.video_head = Dense(self.embedding, self.labels)

    def forward(self, waveform, frames):
        maps = through(self.audio, self.front(waveform))
        heard = F.relu(self.audio_embed(summary(maps.mean(3), 2)))
        seen = F.relu(self.video_embed(summary(self.watch(frames), 1)))
        fused = heard * self.audio_share + seen * self.video_share
        logits = self.head(F.relu(self.fusion["embed"](fused)))
        return logits if self.is_folded else (logits, self.audio_head(heard), self.video_head(seen))


class Mid(Twin):
    def __init__(self, spec, folded):
        super().__init__(spec, folded)
        heard, seen = self.two_branches()
        self.temporal, channels = stack(heard + seen, spec["temporal"], folded)
        self.joint_parts(2 * channels)
        if not folded:
            self.audio_head, self.video_head = Dense(heard, self.labels), Dense(seen, self.labels)

    def forward(self, waveform, frames):
        maps = through(self.audio, self.front(waveform))
        heard = maps.reshape(maps.shape[0], maps.shape[1], self.moments, -1).mean(3, keepdim=True)
        seen = self.watch(frames).transpose(1, 2).unsqueeze(3)
        joint = through(self.temporal, torch.cat([heard, seen], 1))
        logits = self.head(F.relu(self.fusion["embed"](summary(joint.mean(3), 2))))
        if self.is_folded:
            return logits
        return logits, self.audio_head(heard.mean((2, 3))), self.video_head(seen.mean((2, 3)))


class Early(Twin):
    def __init__(self, spec, folded):
        super().__init__(spec, folded)
        patches, size = spec["patches"], spec["frames"]
        self.rows, self.columns = size["height"] // patches["side"], size["width"] // patches["side"]
        self.slice_steps = self.front.steps // self.moments // self.rows
        self.slice_bands = self.front.bands // self.columns
        self.joint, channels = stack(patches["channels"], spec["joint"], folded)
        beside = self.slice_steps * self.slice_bands
        self.joint["0"] = PatchBlock(3 * self.per_moment, patches["channels"], patches["side"], folded, beside)
        cells = self.rows * self.columns
        for block in spec["joint"]:
            cells //= block["stride"][0] * block["stride"][1]
        self.temporal, channels = stack(channels * cells, spec["temporal"], folded)
        self.joint_parts(2 * channels)

    def forward(self, waveform, frames):
        grid = self.front(waveform).reshape(-1, self.rows, self.slice_steps, self.columns, self.slice_bands)
        beside = grid.permute(0, 2, 4, 1, 3).reshape(-1, self.slice_steps * self.slice_bands, self.rows, self.columns)
        maps = through(self.joint, self.joint["0"](self.pictures(frames), beside))
        sequence = maps.reshape(-1, self.moments, maps[0].numel()).transpose(1, 2).unsqueeze(3)
        joint = through(self.temporal, sequence)
        logits = self.head(F.relu(self.fusion["embed"](summary(joint.mean(3), 2))))
        return logits if self.is_folded else (logits,)


TWINS = {"early": Early, "mid": Mid, "late": Late}

# What a Python attribute may not be called, or would hide a stack of blocks.
OURS = {
    "audio_embed": "audio.head.embed",
    "video_embed": "video.head.embed",
    "audio_head": "audio.head",
    "video_head": "video.head",
    "audio_share": "fusion.audio",
    "video_share": "fusion.video",
}


def name_of(parameter):
    first, _, rest = parameter.partition(".")
    return ".".join([OURS.get(first, first)] + ([rest] if rest else []))


def build_twin(spec, weights, folded):
    """A twin with the project's weights, arrays by name.

    The training form of a patch block holds pixels and `beside` in one pointwise weight; here they are two convolutions.
    """
    twin = TWINS[spec["fusion"]](spec, folded)
    with torch.no_grad():
        for name, parameter in twin.named_parameters():
            ours = name_of(name)
            if ours.endswith(".beside") and ours not in weights:
                value = weights[ours.replace(".beside", ".weight")][:, -parameter.shape[1] :]
            else:
                value = weights[ours]
                if value.size > parameter.numel():
                    value = value[:, : parameter[0].numel()]
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)).reshape(parameter.shape))
    return twin
