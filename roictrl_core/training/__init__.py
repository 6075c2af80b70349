"""Training a ROICtrl adapter on a frozen base: what the run is made of, without ComfyUI.

`scripts/train.py` and the `Train ROICtrl Adapter` node are the two runs; both read from top to bottom.

sources       files of pictures, boxes and captions -> examples, bad rows named by their line
rows          what a row is, and the checks that its fields go through
coco          COCO's lists, checked and packed
picture_files one view of a picture file: its stored size, how it is turned, its colours
pictures      one example's picture, cropped to the training size together with its boxes
cache         latents and text embeddings, computed once, memory-mapped afterwards
batches       cache rows -> one batch; every random number of a sample comes from (seed, position)
schedule      noise schedule: noisy latents and what the UNet shall predict
losses        noise-prediction loss and the regulariser
objective     the module that DistributedDataParallel wraps: batch -> loss
optimisation  parameter groups, learning rate, one optimiser step, EMA
checkpoints   atomic, resumable to the bit
logbook       CSV log, loss curve, lines of progress
"""
