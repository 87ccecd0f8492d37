"""A saved config reads back equal, whatever it holds."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from inspyrenet.utils.config import yaml_loader
from inspyrenet.utils.config.load import ConfigError, load_config, save_resolved

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "1e-4",
        "010",
        "yes",
        "~",
        "null",
        "1:30",
        "0x1",
        ".inf",
        "- a",
        "a: b",
        "#",
        " x ",
        "'",
        '"',
        "\n",
        "\ufeff",
        "<<",
        "=",
    ]
)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
PLAIN = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
SET = TEXT.map(lambda text: "a" + text.replace("/", ""))  # never the root itself
WORD = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_./~-]{0,8}", fullmatch=True)
FRACTION = st.floats(0, 1)
POSITIVE = st.floats(min_value=1e-300, max_value=1e300)
SIZE = st.tuples(st.integers(32, 4096), st.integers(32, 4096)).map(list)
ENDS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2).map(sorted)


def some(**keys: st.SearchStrategy) -> st.SearchStrategy:
    return st.fixed_dictionaries({}, optional=keys)


TRANSFORMS = st.fixed_dictionaries(
    {"static_resize": st.fixed_dictionaries({"size": SIZE})},
    optional={
        "random_flip": some(lr=st.booleans(), p=FRACTION) | st.none(),
        "random_rotate": some(range=ENDS),
        "random_image_enhance": some(methods=st.lists(st.sampled_from(["contrast", "sharpness"]), max_size=3)),
    },
)
DATASET = st.fixed_dictionaries(
    {"root": WORD, "sets": st.lists(SET, min_size=1, max_size=3), "transforms": TRANSFORMS},
    optional={"limit": st.integers(1) | st.none()},
)
CONFIG = some(
    seed=st.integers(0, 2**31 - 1),
    note=TEXT,
    Model=st.fixed_dictionaries(
        {"name": TEXT},
        optional={
            "pretrained": st.booleans() | WORD,
            "base_size": SIZE,
            "arguments": st.dictionaries(TEXT, PLAIN, max_size=3),
        },
    ),
    Train=st.fixed_dictionaries(
        {"Dataset": DATASET},
        optional={
            "Optimizer": some(
                lr=POSITIVE, betas=st.tuples(FRACTION, FRACTION).map(list), clip_norm=POSITIVE | st.none()
            ),
            "Checkpoint": some(checkpoint_dir=WORD | st.none(), every_minutes=POSITIVE),
            "ema": st.floats(0.001, 0.999) | st.none(),
        },
    ),
    Test=st.fixed_dictionaries({"Dataset": DATASET}, optional={"Checkpoint": some(checkpoint_dir=WORD)}),
    Eval=some(pred_root=WORD, metrics=st.lists(TEXT, max_size=3), datasets=st.lists(SET, max_size=2) | st.none()),
)


@given(st.dictionaries(TEXT, PLAIN, max_size=4))
def test_yaml_reads_back_equal(data):
    problems = []
    assert yaml_loader.parse(yaml_loader.write(data), "f", problems).data == data
    assert problems == []


@settings(max_examples=60)
@given(CONFIG)
def test_resolved_config_reads_back_equal(data):
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "first.yaml"), Path(folder, "second.yaml")
        first.write_text(yaml_loader.write({"note": None, **data}), encoding="utf-8")
        (config,) = load_config(first)
        save_resolved(config, second)
        assert load_config(second) == [config]


@given(st.binary(max_size=60) | TEXT.map(str.encode))
def test_any_bytes_are_read_or_reported(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "any.yaml")
        path.write_bytes(content)
        try:
            load_config(path)
        except ConfigError as error:
            assert error.messages
            assert all(line.startswith(str(path)) for line in error.messages)
