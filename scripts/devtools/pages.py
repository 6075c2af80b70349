"""Pages of which a part is written by a script."""

from __future__ import annotations

import re


def between_markers(text: str, begin: str, end: str, part: str) -> str:
    """The text with what is between the two marker lines exchanged. Raises ValueError where they are not there once."""
    pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"the page needs the lines '{begin}' and '{end}' once each, where the table goes")
    return pattern.sub(lambda _: f"{begin}\n{part}\n{end}", text)
