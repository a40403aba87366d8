"""Study files from anybody: no tag is followed, no alias multiplied, no name leads out of a folder."""

import pytest
from hostile.limited_reading import Outcome, read_limited
from hostile.payloads import code_pickle, write

pytestmark = pytest.mark.faults("hostile file")

BEGIN = "workload: synthetic\n"
LAUGHS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'lol'}]\n" for n in range(12))

STUDIES = {
    "system-call.yaml": "workload: !!python/object/apply:os.mkdir [x]\n",
    "new-object.yaml": "!!python/object/new:os.mkdir [x]\n",
    "module.yaml": "workload: !!python/module:antigravity\n",
    "own-tag.yaml": BEGIN + "trials: !include /etc/passwd\n",
    "billion-laughs.yaml": LAUGHS,
    "nested.yaml": "a: " + "[" * 500_000,
    "merged.yaml": "<<: {workload: synthetic}\n",
    "huge-number.yaml": BEGIN + "trials: " + "9" * 500_000 + "\n",
    "infinite.yaml": BEGIN + "trials: 1e999\n",
    "too-long.yaml": BEGIN + "#" * 2**20,
    "two-documents.yaml": BEGIN + "---\n" + BEGIN,
    "name-outside.yaml": BEGIN + "study: ../../x\n",
    "name-of-a-folder.yaml": BEGIN + "study: ..\n",
    "name-of-an-option.yaml": BEGIN + "study: --home=x\n",
    "name-in-html.yaml": BEGIN + 'study: "<img src=x onerror=alert(1)>"\n',
    "name-with-an-escape.yaml": BEGIN + 'study: "a\\e[2J"\n',
    "earlier-outside.yaml": BEGIN + "from_study: ../../x\n",
    "constraint-in-code.yaml": BEGIN + "constraints: [\"__import__('os').mkdir('x') <= 5\"]\n",
    "space-in-code.yaml": BEGIN + "space: {student_width: [\"__import__('os')\"]}\n",
    "workload-outside.yaml": "workload: ../../../../etc/passwd\n",
    "zero-byte.yaml": 'workload: "a\\0b.py"\n',
    "pickle.yaml": code_pickle(),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Outcome]:
    """What came of each file, by reader and name."""
    folder = tmp_path_factory.mktemp("studies")
    files = {name: text if isinstance(text, bytes) else text.encode() for name, text in STUDIES.items()}
    return read_limited({"study": write(folder, {**files, "honest.yaml": BEGIN.encode()})}, folder)


@pytest.mark.parametrize("name", STUDIES)
def test_a_hostile_study_file_is_refused_in_one_sentence(outcomes: dict[tuple[str, str], Outcome], name: str) -> None:
    outcome = outcomes["study", name]
    assert outcome.kind == "refused", outcome
    assert name in outcome.words
    assert len(outcome.words) < 1_000


def test_an_honest_study_file_is_read(outcomes: dict[tuple[str, str], Outcome]) -> None:
    assert outcomes["study", "honest.yaml"].kind == "read", outcomes["study", "honest.yaml"]
