"""The method, without ComfyUI: ROI attention for diffusion UNets, boxes and their formats, training parts."""
