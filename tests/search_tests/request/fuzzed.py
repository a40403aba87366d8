"""Requests that hypothesis makes: study files and flags, some right, most of them wrong in some way."""

import json
from typing import Any

import yaml
from command_line import COMMAND
from hypothesis import strategies as st

from runners.measuring.measurement import QUANTITIES
from runners.workload_loading.image_settings import KEYS
from search.request.study_request import StudyRequest
from spaces.space_document import all_techniques

PARAMETERS = [parameter.name for technique in all_techniques() for parameter in technique.parameters]
PATHS = [
    "net.py",
    "net.py:NET",
    "space.yaml",
    "images",
    ".",
    "..",
    "",
    " ",
    "~",
    "~nobody/x",
    "C:\\models\\net.py",
    "net.py:build",
    "net.pt2",
    "split.csv",
    "timm:vit",
    "split",
    "gone.py",
]
WORDS = [
    *(
        *PATHS,
        *PARAMETERS,
        *QUANTITIES,
        *StudyRequest.model_fields,
        *KEYS,
        "imagefolder",
        "digits",
        "cpu",
        "all",
        "gain",
    ),
    *(
        "fp32",
        "int8",
        "eager",
        "torchvision:resnet18",
        "timm:vit",
        "split",
        "DEFAULT",
        "w.safetensors",
        "macs<=5",
        "accuracy>=0.9",
        "30m",
    ),
    *(
        "speedup<=inf",
        "batch=8,threads=2",
        "batch=0",
        "-5s",
        "sqlite:///s.db",
        "sqlite:////x?y=%",
        "sqlite://",
        "nope://x",
        "a.b:c",
        ":",
        "a\0b",
    ),
    *("x" * 5000, "\n", "é", "NaN"),
]

text = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))
numbers = st.one_of(st.integers(-5, 20), st.integers(), st.floats())
scalars = st.one_of(st.none(), st.booleans(), numbers, text)
junk = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=6
)


def settings(keys: list[str], values: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping of some of ``keys``, mostly with a fitting value, now and then with any, or with another key."""
    fitting = {
        key: st.one_of(values.get(key, junk), values.get(key, junk), values.get(key, junk), junk) for key in keys
    }
    some = st.lists(st.sampled_from(keys), max_size=4, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({key: fitting[key] for key in chosen})
    )
    return st.one_of(
        some, some, some, st.builds(lambda one, other: {**one, **other}, some, st.dictionaries(text, junk, max_size=1))
    )


values_of_choices = st.one_of(
    st.just("all"), st.lists(st.sampled_from([1, 2, 0.5, 0, "fp32", "int8", "eager", "all"]), max_size=3)
)
spaces = settings(PARAMETERS, dict.fromkeys(PARAMETERS, values_of_choices))
workloads = settings(
    list(KEYS),
    {
        "model": st.sampled_from(["torchvision:resnet18", "resnet18", "timm:vit", "net.py:build", "gone.pt2"]),
        "data": st.one_of(
            st.just({"imagefolder": "images"}),
            st.fixed_dictionaries({"imagefolder": st.just("images"), "split": scalars}),
            st.dictionaries(text, scalars, max_size=2),
        ),
        "weights": st.sampled_from(["DEFAULT", "w.safetensors", "best"]),
        "learning_rate": st.floats(-1, 11),
        **{key: st.integers(-1, 200) for key in ("image_size", "epochs", "batch_size")},
    },
)
durations = st.one_of(st.sampled_from(["30m", "1h30m", "90", "2 h", "1d1d"]), st.integers(-5, 100), st.floats())
names = st.sampled_from(["digits", "a b", "x" * 101, "a/b", "a.b-c_1"])
bounds = st.sampled_from(["macs<=5", " accuracy >= 0.9", "speedup<1", "latency<=5", "macs<=1e999", "macs<=nan"])
quantities = st.sampled_from([*QUANTITIES, "latency"])
documents = settings(
    [*StudyRequest.model_fields],
    {
        "study": names,
        "workload": st.one_of(st.sampled_from([*PATHS, "digits", "synthetic", "digitz"]), workloads),
        "space": st.one_of(st.sampled_from(["cpu", "space.yaml", "gpus", "gone.yaml", "~nobody/s.yaml"]), spaces),
        "trials": st.integers(-1, 40),
        "seed": st.integers(-1, 40),
        "timeout": durations,
        "time_budget": durations,
        "sampler": st.sampled_from(["gain", "tpe", "nsga2", "gp", "random", "best"]),
        "from_study": names,
        "objectives": st.one_of(quantities, st.lists(quantities, max_size=4)),
        "constraints": st.one_of(bounds, st.lists(bounds, max_size=4)),
        **dict.fromkeys(("home", "storage", "tracking_uri", "stage_store", "address"), text),
    },
)


right = st.fixed_dictionaries(
    {"seed": st.integers(0, 40)},
    optional={
        "study": st.sampled_from(["digits", "a.b-c_1"]),
        "workload": st.one_of(
            st.sampled_from(["net.py", "net.py:NET", "digits"]),
            st.fixed_dictionaries(
                {"model": st.just("torchvision:resnet18"), "data": st.just({"imagefolder": "images"})},
                optional={
                    "weights": st.sampled_from([None, "DEFAULT", "w.safetensors"]),
                    "image_size": st.integers(8, 2048),
                    "learning_rate": st.one_of(st.integers(1, 10), st.floats(1e-6, 10)),
                },
            ),
        ),
        "space": st.one_of(
            st.sampled_from(["cpu", "space.yaml"]),
            st.dictionaries(
                st.sampled_from(["student_width", "distillation_weight"]),
                st.one_of(st.just("all"), st.floats(0.1, 1), st.lists(st.floats(0.1, 1), max_size=3)),
                min_size=1,
            ),
            st.dictionaries(
                st.sampled_from(["threads", "replicas", "training_workers"]),
                st.one_of(st.just("all"), st.integers(1, 4), st.lists(st.integers(1, 4), max_size=3)),
                min_size=1,
            ),
        ),
        "timeout": st.one_of(st.sampled_from(["30m", " 1H30m ", "90"]), st.integers(1, 90), st.floats(0.1, 90)),
        "objectives": st.one_of(
            st.sampled_from([*QUANTITIES]),
            st.lists(st.sampled_from([*QUANTITIES]), min_size=1, max_size=3, unique=True),
        ),
        "constraints": st.one_of(st.just("macs<=5"), st.lists(st.sampled_from([" accuracy >= 0.9", "macs<=1e3"]))),
        "home": st.sampled_from(["here", "~/there", "/tmp", "é"]),
        "address": text.filter(str.strip),
    },
)
"""Settings with nothing wrong."""


def as_yaml(document: Any, style: int) -> str:
    """The document in one of the styles of YAML."""
    if style == 2:
        return json.dumps(document)
    return yaml.safe_dump(document, default_flow_style=bool(style), allow_unicode=True, sort_keys=False)


def damaged(written: str, at: int, put: str, cut: int) -> str:
    """A text with ``put`` in place of ``cut`` characters somewhere."""
    at = at % (len(written) + 1)
    return written[:at] + put + written[at + cut :]


MARKS = [*"&*!:-[]{}#|>\"'%@`\t\n\0\\", "<<: ", "---\n", "seed: 1\n"]
"""What means something in YAML."""
written = st.builds(as_yaml, st.one_of(documents, documents, right), st.integers(0, 2))
study_files = st.one_of(
    written,
    written,
    st.builds(damaged, written, st.integers(0, 10_000), st.sampled_from(MARKS), st.integers(0, 3)),
    st.text(max_size=60),
).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=60)
"""The bytes of a study file."""

SEARCH_FLAGS = sorted(
    {flag for parameter in COMMAND.commands["search"].params for flag in parameter.opts if flag[:2] == "--"}
)
argument = text.filter(lambda word: "\0" not in word).map(lambda word: word.encode("utf-8", "replace").decode())
"""A word of a command line, which holds no NUL and comes as bytes."""
search_flags = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(SEARCH_FLAGS), argument),
        st.tuples(st.sampled_from(["--trials", "--seed"]), st.integers(-1, 40).map(str)),
        st.tuples(st.sampled_from(["--objective", "--constraint"]), st.one_of(quantities, bounds)),
        st.tuples(st.sampled_from([*SEARCH_FLAGS, "--trails", "-x", "--"])),
        st.tuples(argument),
    ),
    max_size=4,
).map(lambda pairs: [word for pair in pairs for word in pair])
"""Words behind ``frontrunner search``."""
