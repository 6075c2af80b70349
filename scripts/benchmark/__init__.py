"""The demo benchmark: every method on the same layouts, base, seeds and judge. `bench_control.py`
and `bench_train.py` run it.

layouts.py    held-out layouts of the demo world
places.py     where weights and results lie
sampling.py   pictures through ComfyUI's sampler
methods.py    the methods, a row of the table each
prepare.py    what each makes of a layout for the sampler
rows.py       several layouts in one sampler call
redo.py       missed boxes drawn anew
gligen.py     GLIGEN-style box and text tokens, on core's own GLIGEN modules
peers.py      attention couple and regional prompting, made anew and small
ablations.py  ROICtrl with one part taken away or exchanged
variants.py   what bench_train.py can train
training.py   one training run of a variant, by the parts of train.py
addons.py     a fine-tuned base and a LoRA, for the adapter to cope with
palettes.py   what they are tuned on: some colours drawn as others
scores.py     what one picture is worth, rates over many, and how sure they are
store.py      results, a line per picture as soon as it is drawn
drawing.py    draws and judges what is missing
workers.py    the same in several processes
costs.py      seconds and memory of a picture, all methods in turn
tuning.py     chooses a method's settings on layouts of their own
report.py     stored results -> docs/demo_benchmark.json and the tables
plots.py      plots and the contact sheet

Modules that import ComfyUI or `roictrl_pack` want `demo_common.start()` and `devtools.pack.load_pack()` before them.
"""
