"""Writes the demo model's tokenizer (vocab.json and merges.txt in CLIP's format) from the demo world's words.

    python scripts/demo_tokenizer.py

Byte-pair merges are learned until every word of the world is one token, so each is encoded as one; all bytes are in the
vocabulary, so that a word from elsewhere still has tokens, its letters.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

from demo_world.captions import WORDS
from devtools.pack import ROOT

FOLDER = ROOT / "demo_model" / "tokenizer"


def byte_letters() -> list[str]:
    """CLIP's (GPT-2's) printable letter for each byte, printable bytes first."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]


def learn_merges(words) -> list[tuple[str, str]]:
    """The most frequent pair first, until no word is in pieces."""
    pieces = [[*word[:-1], word[-1] + "</w>"] for word in words]
    merges = []
    while any(len(word) > 1 for word in pieces):
        counts = Counter(pair for word in pieces for pair in pairwise(word))
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for word in pieces:
            at = 0
            while at < len(word) - 1:
                if (word[at], word[at + 1]) == best:
                    word[at : at + 2] = ["".join(best)]
                at += 1
    return merges


def main() -> None:
    merges = learn_merges(WORDS)
    letters = byte_letters()
    tokens = [
        *letters,
        *(letter + "</w>" for letter in letters),
        *("".join(pair) for pair in merges),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    special = {
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "vocab.json").write_text(
        json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False), encoding="utf-8"
    )
    (FOLDER / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
    (FOLDER / "special_tokens_map.json").write_text(json.dumps(special, indent=1))
    (FOLDER / "tokenizer_config.json").write_text(
        json.dumps(
            {"tokenizer_class": "CLIPTokenizer", "model_max_length": 8192, "do_lower_case": True, **special}, indent=1
        )
    )
    print(f"{len(tokens)} tokens, {len(WORDS)} words, in {FOLDER.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
