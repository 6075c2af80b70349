"""Guiders and samplers of our own.

multi_instance.py  InstanceDiffusion's Multi-Instance Sampler
"""
