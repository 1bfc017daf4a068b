"""What is done to gradients, and where they go: the norm band, gradient flow."""

from recurra.gradients.activations import activation_derivatives
from recurra.gradients.clip import clip_grad_norm_band_, clip_norm_band
from recurra.gradients.flow import gradient_flow
from recurra.gradients.flow_record import GradientFlow
from recurra.gradients.lyapunov import LyapunovSpectrum, lyapunov_spectrum

__all__ = [
    "GradientFlow",
    "LyapunovSpectrum",
    "activation_derivatives",
    "clip_grad_norm_band_",
    "clip_norm_band",
    "gradient_flow",
    "lyapunov_spectrum",
]
