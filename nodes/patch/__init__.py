"""Instances in ComfyUI's models: ModelPatcher hooks on one side, calls into `roictrl_core` on the other.

hosts/             model families: the only places that know ComfyUI's model classes
methods/           what instances do at a host's points
points.py          the points, and what a method's functions are told there
control.py         what an Apply node asks for: slots with boxes, captions, strengths and windows
hooks.py           the wrappers of one Apply on a model
run.py             the state of one sampling run, and how it prepares a call of the model
gates.py           LoRAs that act in all layers, for their boxes' tokens
rows.py            the rows of a call: whose text they read, which crop they see, which instances act in them
roles.py           which cond lists want the captions, and which the negative prompt
frames.py          area conds: the boxes as seen from inside a crop
reuse.py           what a method added in one step, kept for the next few
own_pass.py        each box denoised by itself, beside the whole picture
memo.py            what is made once per run
"""
