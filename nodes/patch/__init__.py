"""The only place that knows ComfyUI's UNet: ModelPatcher hooks on one side, calls into `roictrl_core` on the other.

control.py    what an Apply node asks for: slots with boxes, captions, strengths and windows
captions.py   captions -> embeddings, through the CLIP's own tokenizer
topology.py   the transformer blocks of a UNet
roles.py      which cond lists want the captions, and which the negative prompt
frames.py     area conds: the boxes as seen from inside a crop
run.py        the state of one sampling run, and how it prepares a UNet call
call.py       what the blocks need to know of one UNet call
attention.py  a block's own cross-attention, read from inside the ROIs
methods.py    the fusers behind the Apply nodes
hooks.py      the wrappers and patches on a model
instance_diffusion.py  InstanceDiffusion's fusers and ScaleU, on the same hooks
multi_instance.py      its Multi-Instance Sampler: a guider and a sampler
training.py   a UNet forward with the adapter's hooks and gradients
"""
