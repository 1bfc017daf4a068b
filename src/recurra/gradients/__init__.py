"""What is done to gradients: the norm band."""

from recurra.gradients.clip import clip_grad_norm_band_, clip_norm_band

__all__ = ["clip_grad_norm_band_", "clip_norm_band"]
