"""InstanceDiffusion (Wang et al., CVPR 2024), the second method: grounding tokens, gated fusers, ScaleU, samplers."""
