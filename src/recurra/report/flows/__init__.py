"""How gradients flow, drawn and put in words."""
