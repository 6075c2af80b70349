"""Box files changed somewhere, read, and the layout put to every use that nodes and the editor have for one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import partial
from random import Random

from devtools.pack import ROOT, register_core

register_core()

from roictrl_core import cells, formats  # noqa: E402
from roictrl_core.drawing import draw_layout  # noqa: E402
from roictrl_core.formats.comfyui import write_masks  # noqa: E402
from roictrl_core.layout import Instance, Layout  # noqa: E402
from roictrl_core.masks import RunLengthMask  # noqa: E402

Case = tuple[str, Callable[[], object]]

SAMPLES = ROOT / "tests" / "unit" / "data" / "formats"
DRAWN_SIDE = 128  # pixels; what is drawn is not what is tried here
MASKED = 50  # instances whose masks are written and drawn, for the same reason

JUNK = [
    None, True, False, 0, -1, 1, 7, 2.5, 1e39, -1e39, 1e308, 10**40, -10**400, 5e-324, "", "a", "1", " ", "x" * 300,
    "\ud800", "\x00", "caf\u00e9 \U0001F98A", [], {}, [[]], [{}], [1, 2, 3, 4], [0, 0, 1, 1], [[0, 0], [1, 1]], ["a"],
    {"a": 1}, {"size": [2, 2], "counts": "13"}, {"self": 1},
]  # fmt: skip
KEYS = [
    "self", "caption", "box", "bbox", "instances", "version", "width", "height", "imported", "extra", "mask", "point",
    "scribble", "label", "annos", "images", "annotations", "shapes", "rect", "desc", "coco_id", "1", "", "enabled",
    "strength", "color", "type", "text", "palette", "metadata", "cls", "names",
]  # fmt: skip
TOKENS = [
    "!!bool ", "!!set {a}", "!!timestamp ", "!!binary ", "!!int .5'", "!!float x", "2001-01-01", "&a ", "*a", "<<: ",
    "? ", "- ", ": ", "---\n", "...", "|\n", ">-\n", "%YAML 1.1\n", "# ", "NaN", "-Infinity", "1e999", "1e308",
    "0x1F", "\x00", "\ufeff", "\ud800", "\u2028", "\r", "\r\n", "\t", "\n", "\n\n", "[", "]", "{", "}", '"', "'",
    "\\", ",", "\\u", "null", "true", "0 0.5 0.5 1 1\n", "0 ", " 11" * 30, "nan", "[" * 40, "{\"a\":" * 40, "9" * 400,
    "names:", "```json\n", "```", "<annotation>", "x" * 2000,
]  # fmt: skip

RICH = Layout(
    96,
    64,
    (
        Instance(
            (0.1, 0.1, 0.5, 0.5),
            "a red fox",
            "a dog",
            0.5,
            0.1,
            0.9,
            color="#e69f00",
            label="fox",
            extra={"imported": {"score": 0.5, "type": "text", "text": "OPEN", "palette": ["#112233", "#445566"]}},
        ),
        Instance((0.5, 0.25, 1.2, 0.75), "an owl", mask=RunLengthMask.from_runs((8, 12), [20, 76]), point=(0.6, 0.5)),
        Instance((0.2, 0.2, 0.2, 0.2), "a pond", point=(0.2, 0.2), scribble=(((0.1, 0.1), (0.2, 0.3)), ((0.5, 0.5),))),
        Instance((0.0, 0.0, 1.0, 1.0), "off", enabled=False),
    ),
    "a forest at dusk",
    {"file_name": "1.png", "more": [1, {"a": None}]},
)


def use(layout: Layout) -> Layout:
    """Every check, drawing and writer of a layout; raises ValueError with sentences where it is no sound one."""
    layout.validate()
    notes = [*layout.warnings(), *cells.warnings(layout), *layout.left_out()]
    cells.table(layout)
    small = layout.resized(min(layout.width, DRAWN_SIDE), min(layout.height, DRAWN_SIDE))
    small = Layout(small.width, small.height, small.instances[:MASKED])
    write_masks(small)
    draw_layout(small)
    for kind in formats.WRITABLE:
        text, more = formats.write_text(layout, kind)
        text.encode("utf-8", "surrogatepass")
        notes += more
    json.dumps([note.to_dict() for note in notes], allow_nan=False)
    assert Layout.from_json(layout.to_json()) == layout, "a layout is not what its own JSON says"
    return layout


def read_and_use(text: str, width: int = 0, height: int = 0, pick: str = "", names: str = "") -> Layout:
    """The whole way of a text."""
    layout, notes = formats.read(text, width, height, pick=pick, names=names)
    assert all(note.sentence()[-1:] in ".…" for note in notes), [note.sentence() for note in notes]
    return use(layout)


def sources() -> dict[str, str]:
    """The sample files, and what we write ourselves."""
    found = {file.name: file.read_text(encoding="utf-8") for file in sorted(SAMPLES.iterdir()) if file.is_file()}
    return {**found, **{f"our {kind}": formats.write_text(RICH, kind)[0] for kind in formats.WRITABLE}}


def cases(random: Random) -> Iterator[Case]:
    """Without end."""
    texts = sources()
    data = {name: value for name, text in texts.items() if (value := _json(text)) is not None}
    number = 0
    while True:
        number += 1
        if random.random() < 0.7:
            name = random.choice(["our layout", *sorted(data)] if random.random() < 0.8 else ["our layout"])
            value = copy.deepcopy(data[name])
            for _ in range(random.choice((1, 1, 1, 2, 4))):
                value = _changed_data(value, random)
            text, changes = json.dumps(value, ensure_ascii=random.random() < 0.5), random.choice((0, 0, 0, 0, 1))
        else:
            name = random.choice(sorted(texts))
            text, changes = texts[name], random.choice((1, 1, 2, 5))
        for _ in range(changes):
            text = _changed_text(text, texts, random)
        side = random.choice((0, 1, 64, 512, 16384))
        names = random.choice(
            ("", "fox\nowl", "names: [fox, owl]", "names:\n  0: fox", _changed_text("names: {0: fox}\n", texts, random))
        )
        yield (
            f"{number}: {name}",
            partial(
                read_and_use, text, side, random.choice((side, 96)), random.choice(("", "", "1", "2", "7", "x")), names
            ),
        )


def _json(text: str) -> object | None:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _places(value: object, path: tuple = ()) -> Iterator[tuple]:
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from _places(value[key], (*path, key))


def _changed_data(value: object, random: Random) -> object:
    """One entry exchanged, scaled, doubled, taken away, wrapped or added."""
    places = [path for path in _places(value) if path]
    if not places:
        return copy.deepcopy(random.choice(JUNK))
    *path, last = random.choice(places)
    target = value
    for key in path:
        target = target[key]
    [change] = random.choices(("delete", "wrap", "double", "scale", "add", "exchange"), (1, 1, 1, 3, 4, 3))
    if change == "delete":
        del target[last]
    elif change == "wrap":
        target[last] = [target[last]]
    elif change == "double" and isinstance(target, list):
        target.insert(last, copy.deepcopy(target[last]))
    elif change == "add" and isinstance(target, dict):
        target[random.choice(KEYS)] = copy.deepcopy(random.choice((*JUNK, target[last])))
    elif change == "scale" and isinstance(target[last], float | int) and abs(target[last]) < 1e300:
        target[last] = target[last] * random.choice((-1, 0, 0.001, 2, 1000, 1e39, 1e300))
    else:
        target[last] = copy.deepcopy(random.choice(JUNK))
    return value


def _changed_text(text: str, texts: dict[str, str], random: Random) -> str:
    """Something inserted, cut out, doubled, or taken from another sample."""
    at, length = random.randrange(len(text) + 1), random.choice((1, 1, 3, 20, 200))
    change = random.randrange(6)
    if change < 2:
        return text[:at] + random.choice(TOKENS) + text[at:]
    if change == 2:
        return text[:at] + text[at + length :]
    if change == 3:
        return text[:at] + text[at : at + length] * random.choice((2, 3, 50)) + text[at + length :]
    if change == 4:
        return text[:at] + chr(random.choice((random.randrange(32, 127), random.randrange(0x110000)))) + text[at + 1 :]
    other = texts[random.choice(sorted(texts))]
    return text[:at] + other[random.randrange(len(other) + 1) :]
