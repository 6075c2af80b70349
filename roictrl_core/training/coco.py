"""The tables behind a pair of COCO files: ids, categories, boxes and captions, each entry checked before it is packed.

An entry that spoils one picture is that picture's problem; one that belongs to no picture is a bad row of its own.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

from .json_stream import stream_array
from .picture_files import UPRIGHT, Stored, find_picture, stored
from .rows import BadRow, Box, Example, RowProblem, four_numbers, number_of, object_of, pixel_box, shown, text_of

MOST_LISTED = 1000  # bad entries without a picture that are listed one by one; the others are counted
MAX_DIGITS = 18  # of a text that may be a number
CROWD, NO_CROWD = (1,), (0, None)  # as `iscrowd` says it; JSON's true and false equal 1 and 0

Id = int | str


class Ids:
    """The ids of a list and their entries' numbers from 1. A text finds the number that it spells, and the other way
    round, where only one entry can be meant: "1" and 1 are written by different tools into one pair of files."""

    def __init__(self) -> None:
        self.numbers: dict[Id, int] = {}
        self.spelled: dict[int, list[str]] = {}  # what texts spell -> the texts
        self.repeated: dict[Id, int] = {}  # ids that several entries have -> the first of these

    def add(self, value: object, number: int) -> None:
        """Raises RowProblem for what is no id. A repeated id keeps its first entry and is remembered."""
        key = _clean_id(value, "`id`")
        if key in self.numbers:
            self.repeated[key] = self.numbers[key]
            return
        self.numbers[key] = number
        if isinstance(key, str) and (spelled := _spelled(key)) is not None:
            self.spelled.setdefault(spelled, []).append(key)

    def find(self, value: object, field: str, items: str) -> int:
        """The number of the entry that `field` names. Raises RowProblem for none and for one that is not clear."""
        key = _clean_id(value, f"`{field}`")
        if key not in self.numbers:
            spelled = key if isinstance(key, int) else _spelled(key)
            meant = [*([spelled] if spelled in self.numbers else []), *self.spelled.get(spelled, [])]
            if len(meant) != 1:
                raise RowProblem(
                    f"`{field}` {shown(str(key))} is the id of {'several' if meant else 'none'} of the file's {items}"
                )
            key = meant[0]
        if key in self.repeated:
            raise RowProblem(f"`{field}` {shown(str(key))} is the id of several of the file's {items}")
        return self.numbers[key]


def _clean_id(value: object, name: str) -> Id:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, (int, str)) or isinstance(value, bool) or value == "":
        raise RowProblem(f"{name} is {'missing' if value is None else 'neither a whole number nor a text'}")
    return value


def _spelled(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else None


class Unplaced:
    """Bad rows for entries that belong to no picture."""

    def __init__(self, what: str) -> None:
        self.what, self.rows, self.more = what, [], 0  # what: "instances.json annotation"

    def add(self, number: int, problem: object) -> None:
        if len(self.rows) < MOST_LISTED:
            self.rows.append(BadRow(f"{self.what} {number}", str(problem)))
        else:
            self.more += 1

    def __iter__(self) -> Iterator[BadRow]:
        yield from self.rows
        if self.more:
            yield BadRow(self.what, f"{self.more} more are bad as well")


class Categories:
    """Ids and names; a category without a name is the problem of the boxes that are of it."""

    def __init__(self, file: Path) -> None:
        self.ids, self.names = Ids(), [""]  # names[number]
        for number, item in enumerate(stream_array(file, "categories"), 1):
            name = item.get("name") if isinstance(item, dict) else None
            self.names.append(name if isinstance(name, str) else "")
            try:
                self.ids.add(object_of(item).get("id"), number)
            except RowProblem:
                continue  # no box can name it

    def find(self, value: object) -> int:
        number = self.ids.find(value, "category_id", "categories")
        if not text_of(self.names[number], f"the name of category {number}").strip():
            raise RowProblem(f"category {number} has no name")
        return number


def read_image_ids(file: Path) -> Ids:
    ids = Ids()
    for number, item in enumerate(stream_array(file, "images"), 1):
        try:
            ids.add(object_of(item).get("id"), number)
        except RowProblem:
            continue  # said where the picture is read
    return ids


class Annotations:
    """The boxes of a COCO file by the number of their picture, in flat arrays:
    48 bytes each instead of a kilobyte of JSON. Crowds are left out. `problems`: by the number of a picture,
    its first bad annotation and how many there are."""

    def __init__(self, file: Path, images: Ids) -> None:
        self.categories, self.unplaced = Categories(file), Unplaced(f"{file.name} annotation")
        self.numbers, self.boxes = array("q"), array("d")  # (annotation, category) and x, y, width, height
        self.rows: dict[int, array] = {}
        self.problems: dict[int, tuple[str, int]] = {}
        captions = total = 0
        for total, item in enumerate(stream_array(file, "annotations", whole=True), 1):
            captions += isinstance(item, dict) and "caption" in item and "bbox" not in item
            self._add(total, item, images)
        if total and captions == total:
            raise ValueError(
                f"{file} holds captions and no boxes: name COCO's instances file first, its captions file second"
            )

    def _add(self, number: int, item: object, images: Ids) -> None:
        try:
            if object_of(item).get("iscrowd") in CROWD:
                return
            image = images.find(item.get("image_id"), "image_id", "images")
        except RowProblem as problem:
            self.unplaced.add(number, problem)
            return
        try:
            category, box = self._checked(item)
        except RowProblem as problem:
            first, count = self.problems.get(image, (f"annotation {number}: {problem}", 0))
            self.problems[image] = first, count + 1
            return
        self.rows.setdefault(image, array("q")).append(len(self.numbers) // 2)
        self.numbers.extend((number, category))
        self.boxes.extend(box)

    def _checked(self, item: dict) -> tuple[int, Box]:
        if item.get("iscrowd", 0) not in NO_CROWD:  # a text or the like: whether the box counts is not guessed
            raise RowProblem("`iscrowd` is neither 0 nor 1")
        value = item.get("bbox")
        box = four_numbers(value)
        if box is None:
            found = "missing" if value is None else f"a list of {len(value)}" if isinstance(value, list) else "no list"
            raise RowProblem(f"`bbox` is not four finite numbers x, y, width, height (it is {found})")
        return self.categories.find(item.get("category_id")), box

    def of(self, image: int) -> Iterator[tuple[int, str, Box]]:
        """(number of the annotation, its category's name, x, y, width, height). Raises RowProblem for bad ones."""
        if image in self.problems:
            first, count = self.problems[image]
            raise RowProblem(first if count == 1 else f"{first}, and {count - 1} more of its annotations are bad")
        for row in self.rows.get(image, ()):
            number, category = self.numbers[2 * row : 2 * row + 2]
            yield number, self.categories.names[category], tuple(self.boxes[4 * row : 4 * row + 4])


class Captions:
    """The global captions by the number of their picture; captions of pictures that
    the other file lacks are left out."""

    def __init__(self, file: Path, images: Ids) -> None:
        self.texts: dict[int, list[str]] = {}
        self.unplaced = Unplaced(f"{file.name} annotation")
        boxes = total = 0
        for total, item in enumerate(stream_array(file, "annotations", whole=True), 1):
            boxes += isinstance(item, dict) and "bbox" in item and "caption" not in item
            try:
                text, image = (
                    text_of(object_of(item).get("caption"), "`caption`"),
                    _clean_id(item.get("image_id"), "`image_id`"),
                )
            except RowProblem as problem:
                self.unplaced.add(total, problem)
                continue
            self._add(image, text, images)
        if total and boxes == total:
            raise ValueError(
                f"{file} holds boxes and no captions: name COCO's captions file second, after the instances file"
            )

    def _add(self, image: Id, text: str, images: Ids) -> None:
        try:
            self.texts.setdefault(images.find(image, "image_id", "images"), []).append(text.strip())
        except RowProblem:
            return  # a captions file often covers more pictures

    def of(self, image: int) -> tuple[str, ...]:
        if image not in self.texts:
            raise RowProblem("has no caption in the captions file")
        return tuple(self.texts[image])


def coco_example(
    image: object, ids: Ids, annotations: Annotations, captions: Captions, folder: Path, where: str
) -> Example:
    """One entry of the images. Raises RowProblem."""
    file = find_picture(folder, object_of(image).get("file_name"))
    number = ids.find(image.get("id"), "id", "images")
    size, frame = _frame(image, stored(file))
    boxes, names = [], []
    for annotation, category, box in annotations.of(number):
        names.append(category)
        boxes.append(frame.turned(pixel_box(box, f"annotation {annotation} ({shown(category)})", size, "xywh")))
    return Example(file, captions.of(number), tuple(boxes), tuple(names), where)


def _frame(image: dict, picture: Stored) -> tuple[tuple[float, float], Stored]:
    """What the boxes count in: (width, height) as the file says them, and how that frame is turned before it is seen.

    The picture may be a resized copy. Where the entry's width and height are the picture's as it is seen, and only so,
    whoever wrote them drew the boxes on the turned picture.
    """
    said = number_of(image.get("width")), number_of(image.get("height"))
    if None in said or min(said) <= 0:
        raise RowProblem("`width` and `height` are not two numbers above 0")
    if _proportional(said, picture.size):
        return said, picture
    if _proportional(said, picture.seen_size):
        return said, Stored(picture.seen_size, UPRIGHT)
    raise RowProblem(
        f"its `width` and `height` are {said[0]:g} x {said[1]:g}, but the picture is {picture.size[0]} "
        f"x {picture.size[1]} pixels: its boxes belong to a picture of another shape"
    )


def _proportional(said: tuple[float, float], real: tuple[int, int]) -> bool:
    """Equal up to a scale, within the pixel that rounding costs."""
    width, height = real[1] / said[1] * said[0], real[0] / said[0] * said[1]
    return abs(width - real[0]) <= 1 or abs(height - real[1]) <= 1
