"""The demo model's words as ComfyUI reads them."""

from __future__ import annotations

import comfy.sd1_clip

from . import FOLDER

TOKENIZER = FOLDER / "tokenizer"


class DemoTokenizer(comfy.sd1_clip.SDTokenizer):
    """CLIP's tokenizer with the demo world's vocabulary; words it does not know fall apart into letters."""

    def __init__(self, embedding_directory=None, tokenizer_data={}):  # noqa: B006 - core's signature
        super().__init__(
            str(TOKENIZER),
            embedding_directory=embedding_directory,
            embedding_size=128,
            embedding_key="clip_l",
            tokenizer_data=tokenizer_data,
        )


class DemoSD1Tokenizer(comfy.sd1_clip.SD1Tokenizer):
    def __init__(self, embedding_directory=None, tokenizer_data={}):  # noqa: B006 - core's signature
        super().__init__(
            embedding_directory=embedding_directory, tokenizer_data=tokenizer_data, tokenizer=DemoTokenizer
        )
