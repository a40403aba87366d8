"""Nodes whose software is another one than that of the search: one sentence, before the first trial."""

import pytest

from runners.executors.cluster.node_software import CODE, installed, require_same
from spaces.errors import RequestError

OWN = {"Python": "3.11.7", CODE: "0123abcd", "torch": "2.14.1", "numpy": "2.3.0"}


def test_what_is_installed_names_python_our_code_and_torch() -> None:
    found = installed()
    assert {"Python", CODE, "torch"} <= set(found)
    assert len(found[CODE]) == 8


def test_the_same_everywhere_is_accepted() -> None:
    require_same(OWN, {})
    require_same(OWN, {"10.0.0.1": dict(OWN), "10.0.0.2": dict(reversed(OWN.items()))})


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({**OWN, "Python": "3.12.1"}, r"node 10.0.0.2 has Python 3.12.1, and the search .* with Python 3.11.7;"),
        (
            {**OWN, CODE: "ffff0000"},
            "has the code of Frontrunner ffff0000, and .* with the code of Frontrunner 0123abcd",
        ),
        ({**OWN, "torch": "2.13.0", "onnx": "1.0"}, "has torch 2.13.0, onnx 1.0, and .* with torch 2.14.1, no onnx;"),
        ({n: v for n, v in OWN.items() if n != "numpy"}, "has no numpy, and the search was started with numpy 2.3.0;"),
        ("its process failed: no module", r"does not run on node 10.0.0.2 \(its process failed: no module\); install"),
    ],
)
def test_another_node_is_named_with_what_differs(found: dict[str, str] | str, sentence: str) -> None:
    with pytest.raises(RequestError, match=f"^--address: .*{sentence}"):
        require_same(OWN, {"10.0.0.1": OWN, "10.0.0.2": found})
