"""InstanceDiffusion written down literally, slowly and without sharing code with the pack.

docs/instance_diffusion.md sections 3, 4, 7 and 8.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional as F


def scaleu_skip(skip, gain):
    """docs/instance_diffusion.md section 7 with the Fourier transform it is defined by."""
    height, width = skip.shape[-2:]
    spectrum = torch.fft.fftshift(torch.fft.fftn(skip.double(), dim=(-2, -1)), dim=(-2, -1))
    window = torch.ones(height, width, dtype=torch.float64)
    rows = [height // 2 + k for k in (-1, 0) if height // 2 + k >= 0]
    columns = [width // 2 + k for k in (-1, 0) if width // 2 + k >= 0]
    for row in rows:
        for column in columns:
            window[row, column] = 1 + math.tanh(float(gain))
    back = torch.fft.ifftshift(spectrum * window, dim=(-2, -1))
    return torch.fft.ifftn(back, dim=(-2, -1)).real


def allow_matrix(box_masks, seg_tokens=64):
    """docs/instance_diffusion.md section 4.2 entry by entry: masks [n, V] to the whole (N', N') matrix."""
    slots, visual = box_masks.shape
    total = visual + 4 * slots + seg_tokens
    allowed = np.ones((total, total), dtype=bool)
    for a in range(visual):
        for b in range(visual):
            allowed[a, b] = a == b or any(box_masks[i, a] and box_masks[i, b] for i in range(slots))
        for i in range(slots):
            for token in (visual + i, visual + 3 * slots + i):  # the slot's box and polygon tokens
                allowed[a, token] = allowed[token, a] = box_masks[i, a]
    return allowed


def published_box_mask(box, side):
    """docs/instance_diffusion.md section 4.1: the first index is x; read row-major against tokens y * side + x."""
    x1, y1, x2, y2 = (int(round(value * side)) for value in box)
    mask = np.zeros((side, side), dtype=bool)
    mask[x1:x2, y1:y2] = True
    return mask.reshape(-1)


def fuser(w, x, objs, heads, scale, allowed=None):
    """docs/instance_diffusion.md section 3.2 on visual and grounding tokens together; w: the fuser's state dict."""
    visual = x.shape[1]
    o = F.linear(objs, w["linear.weight"], w["linear.bias"])
    y = F.layer_norm(torch.cat([x, o], 1), x.shape[-1:], w["norm1.weight"], w["norm1.bias"], 1e-5)
    a = F.linear(_attention(w, y, heads, allowed), w["attn.to_out.0.weight"], w["attn.to_out.0.bias"])
    x = x + scale * torch.tanh(w["alpha_attn"]) * a[:, :visual]
    z = F.layer_norm(x, x.shape[-1:], w["norm2.weight"], w["norm2.bias"], 1e-5)
    h, gate = F.linear(z, w["ff.net.0.proj.weight"], w["ff.net.0.proj.bias"]).chunk(2, -1)
    ff = F.linear(h * F.gelu(gate), w["ff.net.2.weight"], w["ff.net.2.bias"])
    return x + scale * torch.tanh(w["alpha_dense"]) * ff


def _attention(w, y, heads, allowed):
    width = y.shape[-1] // heads
    result = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        q, k, v = (F.linear(y, w[f"attn.to_{name}.weight"][part]) for name in "qkv")
        logits = q @ k.transpose(1, 2) * width**-0.5
        if allowed is not None:
            logits = logits.masked_fill(~allowed, float("-inf"))
        result.append(logits.softmax(-1) @ v)
    return torch.cat(result, -1)


def stroke_points(stroke, count=20):
    """docs/instance_diffusion.md section 6.2: sort by distance to the origin, take every (n // count)-th, sort again.

    Distances are those of the decimal numbers as written: float32 input is read as the decimal that it prints as, since
    its rounding would break ties another way.
    """

    def distance(point):
        return math.sqrt(point[0] * point[0] + point[1] * point[1])

    points = sorted(([float(str(value)) for value in point] for point in stroke), key=distance)
    n = len(points)
    kept = [points[i * (n // count) if n >= count else i * n // count % n] for i in range(count)]
    return np.array(sorted(kept, key=distance))


def alphas_cumprod():
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    return np.cumprod(1.0 - betas)


class PublishedPLMS:
    """docs/instance_diffusion.md section 8.2 in the original variables.

    x has variance 1, a step goes through the predicted clean latent.

    `model(x, t, step, branch) -> eps` (after CFG) is asked with one branch at a time; every call is recorded.
    """

    def __init__(self, model, steps):
        self.model = model
        self.times = [1 + k * (1000 // steps) for k in range(steps)][::-1]
        kept = alphas_cumprod()
        self.kept = [kept[t] for t in self.times]
        self.kept_before = self.kept[1:] + [kept[0]]
        self.calls = []

    def step(self, x, index, branch, old):
        t = self.times[index]
        e = self._eps(x, t, index, branch)
        if len(old) == 0:
            ahead = self._eps(
                self._towards(x, e, index), self.times[min(index + 1, len(self.times) - 1)], index, branch
            )
            direction = (e + ahead) / 2
        elif len(old) == 1:
            direction = (3 * e - old[-1]) / 2
        elif len(old) == 2:
            direction = (23 * e - 16 * old[-1] + 5 * old[-2]) / 12
        else:
            direction = (55 * e - 59 * old[-1] + 37 * old[-2] - 9 * old[-3]) / 24
        old.append(e)
        return self._towards(x, direction, index)

    def _eps(self, x, t, index, branch):
        self.calls.append((branch, t))
        return self.model(x, t, index, branch)

    def _towards(self, x, e, index):
        clean = (x - math.sqrt(1 - self.kept[index]) * e) / math.sqrt(self.kept[index])
        before = self.kept_before[index]
        return math.sqrt(before) * clean + math.sqrt(1 - before) * e

    def run(self, noise, instances=0, share=0.0):
        """docs/instance_diffusion.md section 8.3: each branch alone, their mean, then branch 0 with its own history."""
        steps = len(self.times)
        alone = int(share * steps)
        ends, histories = [], []
        for branch in range(instances + 1 if alone else 1):
            x, old = noise, []
            for index in range(alone):
                x = self.step(x, index, branch, old)
            ends.append(x)
            histories.append(old)
        x = sum(ends) / len(ends)
        for index in range(alone, steps):
            x = self.step(x, index, 0, histories[0])
        return x
