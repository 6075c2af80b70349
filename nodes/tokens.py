"""How many of CLIP's tokens a text is, counted by ComfyUI's own tokenizer of SD1, whose words SDXL's share."""

from __future__ import annotations

from functools import cache

from comfy.sd1_clip import SDTokenizer


def count(text: str) -> tuple[int, int]:
    """The tokens of the words themselves, and the chunks of 77 that CLIP reads them in, with its marks around each.

    Names of embeddings are counted as they are written.  Raises RecursionError for parentheses nested too deeply.
    """
    chunks = _tokenizer().tokenize_with_weights(text, return_word_ids=True)
    return sum(word > 0 for chunk in chunks for _, _, word in chunk), len(chunks)


@cache
def _tokenizer() -> SDTokenizer:
    return SDTokenizer()
