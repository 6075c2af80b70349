"""Guiders and samplers of our own.

multi_instance.py  InstanceDiffusion's Multi-Instance Sampler
kept_steps.py      runs whose latents are kept, and parts of them drawn anew
"""
