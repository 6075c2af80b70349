"""Text from outside: what is refused before it is parsed, and that the rest is plain data by JSON's rules."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from roictrl_core.safe_text import LINES, MAX_BYTES, MAX_DEPTH, MAX_DIGITS, Limits, lines_of, parse_json, parse_yaml

FILL = MAX_BYTES // 2


@pytest.fixture
def no_parser(monkeypatch):
    """Whatever parses takes it as a failure: for texts that have to be refused before."""

    def fail(*_, **__):
        raise AssertionError("this text has to be refused before it is parsed")

    monkeypatch.setattr(json, "loads", fail)
    monkeypatch.setattr(yaml, "parse", fail)


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("x" * (MAX_BYTES + 1), "has 10.0 MB; at most 10 MB are read"),
        ("[" + "[]," * (FILL // 3) + "[]]", "lists and objects; at most 300000 are read"),
        ("[" + "{}," * (FILL // 3) + "{}]", "lists and objects; at most 300000 are read"),
        ("[" + "1," * 1_200_001 + "1]", "has 1200001 commas; at most 1200000 are read"),
        ('["' + '","' * 400_001 + '"]', "quotation marks; at most 800000 are read"),
        ("[" * (MAX_DEPTH + 1), f"nested more than {MAX_DEPTH} levels deep"),
        ('{"a":' * (MAX_DEPTH + 1), f"nested more than {MAX_DEPTH} levels deep"),
        ("[" + "1" * (MAX_DIGITS + 1) + "]", f"holds a number of over {MAX_DIGITS} digits"),
        ("[0." + "0" * FILL + "]", f"holds a number of over {MAX_DIGITS} digits"),
    ],
    ids=lambda value: value[:12],
)
def test_json_is_refused_before_it_is_parsed(text, sentence, no_parser):
    with pytest.raises(ValueError, match=sentence):
        parse_json(text)


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("x" * (256 * 1024 + 1), "at most 256 KB are read"),
        ("[" + "[]," * 10_000 + "]", "has 10001 lists and mappings; at most 10000"),
        ("[" + "," * 10_001, "has 10001 commas; at most 10000"),
        ("a\r" * 10_001, "has 10001 line breaks; at most 10000"),
        ("a: " + "1" * (MAX_DIGITS + 1), f"holds a number of over {MAX_DIGITS} digits"),
    ],
    ids=lambda value: value[:12],
)
def test_yaml_is_refused_before_it_is_parsed(text, sentence, no_parser):
    with pytest.raises(ValueError, match=sentence):
        parse_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        '["' + "[" * FILL + '"]',
        '["' + "," * FILL + '"]',
        '["' + r"\"" * (FILL // 2) + '"]',
        '["' + "1" * FILL + '"]',
        r'["\\", "' + "{" * FILL + r'\\"]',
        '{"[[[\\"[": "' + "[" * 40 + '"}',
    ],
    ids=lambda text: text[:8],
)
def test_what_stands_in_json_strings_is_not_counted(text):
    assert parse_json(text) == json.loads(text)


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
        max_leaves=20,
    ),
    st.booleans(),
)
@settings(deadline=None, max_examples=100)
def test_sound_json_is_read_as_it_is(data, ascii_only):
    text = json.dumps([data], ensure_ascii=ascii_only)
    assert parse_json(text) == [data]


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("[1, NaN]", "holds the number NaN"),
        ("[-Infinity]", "holds the number -Infinity"),
        ("[1e999]", "holds the number 1e999"),
        ("[1.5E+400]", "holds the number"),
        ('{"a": 1, "a": 2}', "has the key 'a' twice"),
        ("[1, 2", "line 1, column 6"),
        ('["' + r"\"" * 10**6, "Unterminated string"),
        ("[" + "]" * 10, "not valid JSON"),
        ('{"%s": 1, "%s": 1}' % (("k" * 10**6,) * 2), "…' twice"),
    ],
    ids=lambda value: value[:12],
)
def test_json_that_cannot_be_used_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        parse_json(text)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    "text, value",
    [
        ("a: 5", {"a": 5}),
        ("a: 0.5", {"a": 0.5}),
        ("a: -1.0e-05", {"a": -1e-05}),
        ("a: true", {"a": True}),
        ("a: null", {"a": None}),
        ("a:", {"a": None}),
        ("a: ''", {"a": ""}),
        ("a: '5'", {"a": "5"}),
        ('a: "true"', {"a": "true"}),
        ("a: yes", {"a": "yes"}),
        ("a: On", {"a": "On"}),
        ("a: ~", {"a": "~"}),
        ("a: True", {"a": "True"}),
        ("a: 0x1F", {"a": "0x1F"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 010", {"a": "010"}),
        ("a: 12:30:45", {"a": "12:30:45"}),
        ("a: 2001-01-01", {"a": "2001-01-01"}),
        ("a: .5", {"a": ".5"}),
        ("a: +5", {"a": "+5"}),
        ("a: .inf", {"a": ".inf"}),
        ("a: .nan", {"a": ".nan"}),
        ("a: =", {"a": "="}),
        ("<<: {a: 1}", {"<<": {"a": 1}}),
        ("0: fox\n1: owl", {"0": "fox", "1": "owl"}),
        ("true: [1, [2, {b: c d}]]", {"true": [1, [2, {"b": "c d"}]]}),
        ("- a\n- - 1\n  - x: |\n      two\n      lines\n", ["a", [1, {"x": "two\nlines\n"}]]),
        ("plain words", "plain words"),
        ("", None),
        ("# only this", None),
        ("a: &name [1]", {"a": [1]}),
    ],
)
def test_yaml_is_plain_data_by_the_rules_of_json(text, value):
    assert parse_yaml(text) == value


@pytest.mark.parametrize(
    "tag",
    [
        "!!bool",
        "!!set",
        "!!timestamp",
        "!!binary",
        "!!int",
        "!!float",
        "!!omap",
        "!!pairs",
        "!!null",
        "!!python/object/apply:os.system",
        "!mine",
        "!",
        "!<tag:yaml.org,2002:str>",
    ],
)
@pytest.mark.parametrize(
    "text", ["a: {tag} x", "a: {tag} .5'", "a: {tag} [x]", "a: {tag} {{x: y}}", "{tag} x: y", "a: {tag}"]
)
def test_no_tag_of_yaml_resolves(tag, text):
    with pytest.raises(ValueError, match=r"not usable YAML: tags \(!name\) are not allowed at line 1"):
        parse_yaml(text.format(tag=tag))


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("a: 1\na: 2", "the key 'a' stands twice at line 2, column 1"),
        ("1: x\n'1': y", "the key '1' stands twice at line 2"),
        ("a: &x [1]\nb: *x", "aliases .* are not allowed at line 2"),
        ("a: 1\n---\nb: 2", "a second document .* at line 2"),
        ("? [a]\n: b", "a list or mapping stands where a key should at line 1"),
        ("- " * 100, "nested more than 32 levels"),
        ("[" * 1000, "nested more than 32 levels"),
        ("a: {", "not usable YAML: .* line 1"),
        ('a: "\\UFFFFFFFF"', "not usable YAML"),
        ("%YAML 1." + "9" * 400 + "\n---\na", "over 300 digits"),
        ("a: \ud800", "not usable YAML"),
        ("a: \x00", "not usable YAML"),
        ("a: 1e999", "the number 1e999"),
    ],
    ids=lambda value: value[:12].encode("utf-8", "replace").decode(),
)
def test_yaml_that_cannot_be_used_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_yaml(text)


def test_lines_of_any_kind():
    assert lines_of("a\r\nb\rc\n\nd") == ["a", "b", "c", "", "d"]
    most = LINES.counts[0][1]
    with pytest.raises(ValueError, match=f"has {most + 1} line breaks; at most {most}"):
        lines_of("\r" * (most + 1))


def test_limits_are_for_whoever_asks():
    with pytest.raises(ValueError, match="The note has 3 lists and objects; at most 2 are read"):
        parse_json("[[], []]", "The note", Limits(100, (("[{", 2, "lists and objects"),)))


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(st.text(max_size=80), st.text(alphabet="[]{}\"\\,:0123456789.eE-+ \n&*!%|>?#'ab\ud800\x00", max_size=80))
)
def test_any_text_is_plain_data_or_a_sentence(text):
    for parse in (parse_json, parse_yaml):
        try:
            parse(text)
        except ValueError as error:
            assert str(error).startswith("The text") and str(error).endswith((".", ").")), error
            assert (
                type(error).__module__ in ("builtins", "roictrl_core.safe_text")
                and type(error) is not UnicodeDecodeError
            )
