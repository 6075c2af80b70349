"""The demo transformer draws through the benchmark as the demo's UNet does, and boxes act in it."""

from __future__ import annotations

import numpy as np
from safetensors.torch import save_file

from devtools.tiny_dits import randomize


def test_boxes_act_in_the_demo_transformer(pack, places):
    from benchmark.drawing import Job, Painter
    from benchmark.layouts import case_of
    from benchmark.methods import METHODS
    from benchmark.sampling import Sampler
    from devtools.transformer import new_transformer

    path = places.weights("transformer")
    assert "demo_transformer.py" in METHODS["transformer"].problem(places)
    path.parent.mkdir(parents=True)
    save_file(randomize(new_transformer().diffusion_model).state_dict(), path)
    assert METHODS["transformer"].problem(places) is None
    case, pictures = case_of("test", 0), []
    for name in ("transformer", "transformer_roi_prompts", "transformer_own"):
        settings = {**METHODS[name].first, "text": "captions", "cfg": 2.0}
        pictures += Painter(places).paint(Job(name, settings, "test", Sampler(2)), [case], [0])
    assert all(picture.shape == (case.size, case.size, 3) for picture in pictures)
    plain, boxes, own = (picture.astype(int) for picture in pictures)
    assert np.abs(plain - boxes).max() > 0 and np.abs(boxes - own).max() > 0
