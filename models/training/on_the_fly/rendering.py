# SPDX-License-Identifier: Apache-2.0
"""The pictures of many scenes at once: `shading` for a batch, on whatever device it lies.

The same picture as `shading.render` gives, up to rounding and the grain of the film, whose dice are the device's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..raycast import FIRST_SOLID, SKY, length
from ..shading import DITHER, FAR_M, HORIZON_CANONICAL, corner_darkening, light_spread, sky_colour
from .rays import Hits, blocked, cast
from .scene_batch import LightSlot, SceneBatch
from .surfaces import Surfaces, surfaces


@dataclass(frozen=True)
class Rendered:
    """`rgb` (B, 3, H, W) in whole 255ths of [0, 1], sRGB; `depth_m` (B, H, W) planar, 0 on sky."""

    rgb: Tensor
    depth_m: Tensor


def render_batch(batch: SceneBatch, dice: torch.Generator | None = None) -> Rendered:
    """`dice`, on the batch's device, draws the grain; without it there is none."""
    hits = cast(batch)
    sky = (hits.surface == SKY) | (hits.depth * (300 / batch.focal) > HORIZON_CANONICAL)
    reach = torch.where(hits.surface == SKY, 1.0, hits.depth).clamp(max=float(FAR_M))
    points = batch.position + hits.directions * reach
    rgb = _develop(batch, _lit(batch, hits, points), dice)
    return Rendered(rgb, torch.where(sky, 0.0, hits.depth).reshape(-1, batch.height, batch.width))


def _images(batch: SceneBatch, values: Tensor) -> Tensor:
    """(C, B, N) or (B, N) as (B, C, H, W)."""
    channels = values if values.ndim == 3 else values[None]
    return channels.transpose(0, 1).reshape(channels.shape[1], channels.shape[0], batch.height, batch.width)


def _shadow(batch: SceneBatch, light: LightSlot, points: Tensor, found: Surfaces, lit: Tensor) -> Tensor:
    """(B, N) share of the light that arrives, softened over 4x4 blocks."""
    spread = torch.from_numpy(light_spread(batch.height, batch.width)).to(batch.device)
    target = light.vector + spread[:, None] * light.size
    origin = points + found.normals * 2e-3
    ray = torch.where(light.lamp, target - origin, target)
    open_sky = ~blocked(batch, origin, ray, torch.where(light.lamp, 1.0, float("inf")))
    share = _images(batch, (open_sky | ~lit).float())
    return F.avg_pool2d(F.pad(share, (DITHER // 2, DITHER // 2 - 1) * 2, mode="reflect"), DITHER, 1).reshape(lit.shape)


def _lit(batch: SceneBatch, hits: Hits, points: Tensor) -> Tensor:
    """(3, B, N) linear colour of every pixel, sky and haze included."""
    found, around = surfaces(batch, hits, points), batch.around
    sky = hits.surface == SKY
    view = hits.directions / length(hits.directions)
    fill = batch.ambient * (0.75 + 0.25 * found.normals[1] - 0.15 * (found.normals * view).sum(0))
    dark = corner_darkening(around.low, around.high, points, hits.surface >= FIRST_SOLID)
    light_sum = (fill * torch.where(around.open, 1.0, dark)).expand(3, -1, -1)
    shine = torch.zeros_like(points)
    for light in batch.lights:
        ray = torch.where(light.lamp, light.vector - points, light.vector)
        distance = length(ray)
        ray = ray / distance.clamp(min=1e-6)
        facing = (found.normals * ray).sum(0)
        share = _shadow(batch, light, points, found, (facing > 0) & ~sky) * light.strength
        share = torch.where(light.lamp, share * 3 / (1.5 + distance * distance * 0.5), share)
        light_sum = light_sum + light.colour * (facing.clamp(min=0) * share)
        half = ray - view
        half = half / length(half).clamp(min=1e-6)
        shine = shine + light.colour * (found.gloss * share * (found.normals * half).sum(0).clamp(min=0) ** 40)
    lit = found.albedo * (light_sum + found.glow) + shine
    veil = 1 - torch.exp(-torch.where(sky, 0.0, hits.depth) / around.haze_m.clamp(min=1e-3))
    lit = lit + (around.horizon - lit) * torch.where(around.open & (around.haze_m > 0), veil, 0.0)
    return torch.where(sky, sky_colour(around.horizon, around.zenith, around.clouds, hits.directions), lit)


def _blurred(image: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of each picture (B, 3, H, W) by its own `sigma` (B, 1) in pixels; 0 leaves it."""
    radius = max(1, math.ceil(4 * float(sigma.max())))
    offsets = torch.arange(-radius, radius + 1, device=image.device)
    kernel = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-3)) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0)[:, None, None]
    flat = image.reshape(1, -1, *image.shape[2:])
    for weights, pad in ((kernel, (radius, radius, 0, 0)), (kernel.transpose(2, 3), (0, 0, radius, radius))):
        flat = F.conv2d(F.pad(flat, pad, mode="reflect"), weights, groups=flat.shape[1])
    return flat.reshape(image.shape)


def _develop(batch: SceneBatch, linear: Tensor, dice: torch.Generator | None) -> Tensor:
    """(B, 3, H, W) in whole 255ths, from (3, B, N) linear light."""
    image = _images(batch, linear)
    level, tone, vignette = (values[..., None, None] for values in (batch.mean_level, batch.tone, batch.vignette))
    image = image * (level / image.mean((1, 2, 3), keepdim=True).clamp(min=1e-4)) * _images_of_one(batch.gains)
    y, x = (torch.linspace(-1, 1, side, device=image.device) for side in image.shape[2:])
    image = image * (1 - vignette * (x * x + (y * y)[:, None]) / 2)
    image = _blurred(image, batch.blur_px).clamp(0, 1) ** (tone / 2.2)
    if dice is not None:
        grain = torch.randn(image.shape, generator=dice, device=image.device)
        image = image + grain * batch.noise[..., None, None]
    return (image * 255 + 0.5).floor().clamp(0, 255) / 255


def _images_of_one(vectors: Tensor) -> Tensor:
    """(3, B, 1) as (B, 3, 1, 1)."""
    return vectors.transpose(0, 1)[..., None]
