"""What training needs of ComfyUI.

For the `Train ROICtrl Adapter` node and `scripts/train.py`:

adapted_unet.py  a forward of the UNet with the adapter in its blocks and gradients
base.py          a frozen, differentiable copy of a MODEL's UNet, and what is known about it
prepare.py       pictures and captions -> a training cache, through VAE and CLIP

For the node alone:

inputs.py        its numbers and choices, and the settings that they make
session.py       one run
target.py        where the adapter goes

For the script alone:

samples.py       grids of sample pictures with the boxes drawn on them
"""
