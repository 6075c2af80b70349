"""Whether the label of a detector says what a caption asks for: by their words, and a small table of synonyms.

Words alone: a caption that names two things agrees with the label of either, and what a label does not say (a colour
that the caption has) is not compared.
"""

from __future__ import annotations

import re

_FILLERS = frozenset(
    ["a", "an", "the", "of", "in", "on", "at", "with", "and", "or", "to", "by", "is", "are", "its", "this", "that"]
)
_IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "mice": "mouse",
    "knives": "knife",
    "wolves": "wolf",
    "calves": "calf",
    "leaves": "leaf",
    "geese": "goose",
}

# What detectors call a thing (COCO's classes first) -> what captions call it: other names, and particular kinds.
_SYNONYMS = {
    "person": "man, woman, boy, girl, child, kid, baby, lady, gentleman, guy, human, soldier, knight, king, queen, "
    "prince, princess, chef, cook, doctor, nurse, policeman, dancer, singer, player, rider, worker, farmer, teacher, "
    "student, wizard, witch, pirate, astronaut, bride, groom, monk",
    "man": "boy, gentleman, guy, king, prince, groom, policeman, monk",
    "woman": "girl, lady, queen, princess, bride",
    "child": "kid, boy, girl, baby",
    "bicycle": "bike",
    "motorcycle": "motorbike, scooter, moped",
    "car": "automobile, taxi, cab, sedan, suv, limousine, convertible",
    "airplane": "plane, aeroplane, aircraft, jet",
    "bus": "coach, minibus",
    "train": "locomotive, tram",
    "truck": "lorry, pickup, van",
    "boat": "ship, sailboat, yacht, canoe, kayak, ferry, rowboat",
    "fire hydrant": "hydrant",
    "bird": "owl, eagle, parrot, pigeon, sparrow, duck, swan, goose, hawk, crow, raven, penguin, chicken, hen, "
    "rooster, robin, seagull, flamingo, peacock",
    "cat": "kitten, tabby",
    "dog": "puppy, corgi, poodle, husky, labrador, retriever, terrier, bulldog, shepherd, dachshund, beagle",
    "horse": "pony, foal, stallion, mare",
    "sheep": "lamb, ram, ewe",
    "cow": "bull, ox, calf, cattle",
    "bear": "panda, grizzly",
    "backpack": "rucksack, knapsack",
    "handbag": "purse, bag",
    "tie": "necktie",
    "suitcase": "luggage, trunk",
    "sports ball": "ball, football, basketball, baseball, soccer",
    "wine glass": "goblet, glass",
    "cup": "mug, teacup",
    "donut": "doughnut",
    "cake": "cupcake, pie",
    "chair": "armchair, stool, seat",
    "couch": "sofa, settee",
    "potted plant": "plant, houseplant, flower pot",
    "dining table": "table, desk",
    "toilet": "lavatory",
    "tv": "television, monitor, screen, tvmonitor",
    "laptop": "notebook, computer",
    "mouse": "computer mouse",
    "remote": "remote control",
    "cell phone": "phone, smartphone, mobile, telephone",
    "refrigerator": "fridge",
    "clock": "watch",
    "teddy bear": "teddy, plush, stuffed toy",
    "hair drier": "hairdryer, dryer",
    "flower": "rose, tulip, sunflower, daisy, lily, orchid",
    "tree": "oak, pine, palm, willow, birch",
    "house": "cottage, hut, cabin, villa",
}


def stem(word: str) -> str:
    """What a word has in common with its plural: "foxes" and "fox", "puppies" and "puppy"; lower case goes in."""
    word = _IRREGULAR.get(word, word)
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    word = word[:-1] if len(word) > 3 and word.endswith("e") else word
    return word[:-1] + "i" if word.endswith("y") else word


def content(text: str) -> frozenset[str]:
    """The stems of a text's words, without articles and the like."""
    return frozenset(stem(word) for word in re.findall(r"[^\W_]+", text.lower()) if word not in _FILLERS)


_KINDS = {content(name): [content(other) for other in others.split(",")] for name, others in _SYNONYMS.items()}


def agrees(caption: str, label: str) -> bool | None:
    """Whether what a detector calls ``label`` can be what ``caption`` asks for; None where either says nothing.

    It can where one holds all words of the other, or a more particular or other name of it: "dog" for "two puppies on a
    lawn", "sports ball" for "a football", "woman" for "a person"; "man" for "a woman" cannot.
    """
    wanted, seen = content(caption), content(label)
    if not wanted or not seen:
        return None
    if seen <= wanted or wanted <= seen:
        return True
    if not (caption + label).isascii():  # scripts without spaces between words
        one, other = caption.strip().lower(), label.strip().lower()
        if one in other or other in one:
            return True
    return any(
        (kind == seen and any(name <= wanted for name in names)) or (kind <= wanted and seen in names)
        for kind, names in _KINDS.items()
    )
