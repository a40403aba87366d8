"""The JSON schema of a study file takes what a search takes, and refuses what an editor should mark."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from guides import GUIDES, blocks
from jsonschema import Draft202012Validator

from search.commands.init import STUDY_YAML
from search.request.read_request import from_yaml
from search.request.space_file import check_choices
from search.request.study_request import StudyRequest
from search.request.study_schema import study_schema
from search.request.yaml_file import read_yaml
from spaces.errors import RequestError
from spaces.space_document import all_techniques, preset_choices, preset_names

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = study_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
CHOICES = {parameter.name for technique in all_techniques() for parameter in technique.parameters}


def problems(document: Any) -> list[str]:
    """What the schema refuses in a document."""
    return [error.message for error in VALIDATOR.iter_errors(document)]


def read(folder: Path, text: str) -> Any:
    """The data of a YAML text."""
    (folder / "file.yaml").write_text(text)
    return read_yaml(folder / "file.yaml").data


def test_it_is_a_schema_with_a_description_of_every_key() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"].keys() == StudyRequest.model_fields.keys()
    workload = SCHEMA["properties"]["workload"]["anyOf"][1]["properties"]
    space = SCHEMA["properties"]["space"]["anyOf"][2]["properties"]
    assert space.keys() == CHOICES
    settings = {**SCHEMA["properties"], **workload, **space}
    assert [name for name, setting in settings.items() if not setting.get("description")] == []
    assert SCHEMA["properties"]["trials"]["default"] == StudyRequest().trials


def test_every_example_of_the_guides_is_valid(tmp_path: Path) -> None:
    written = [block.content for file in GUIDES for block in blocks(file.read_text()) if block.language == "yaml"]
    documents = [read(tmp_path, text) for text in written]
    assert len(documents) >= 3
    for document in documents:
        assert problems({"space": document} if set(document) <= CHOICES else document) == []


def test_what_init_writes_and_offers_in_comments_is_valid(tmp_path: Path) -> None:
    lines = [line for line in STUDY_YAML.splitlines() if not line.startswith("# Run")]
    opened = [line for line in lines if not line.startswith(("workload:", "space:"))]
    assert problems(read(tmp_path, STUDY_YAML)) == []
    assert problems(read(tmp_path, "\n".join(line.removeprefix("# ") for line in opened))) == []


@pytest.mark.parametrize(
    "text",
    [
        "study: a.b-c_1\ntrials: 1\nseed: 0\n",
        "timeout: 1h30m\ntime_budget: 90\n",
        "timeout: '90'\ntime_budget: 1.5H\n",
        "objectives: macs\nconstraints: accuracy>=0.9\n",
        "objectives: [macs, speedup, accuracy]\nconstraints: [' latency_p90_ms <= 5', macs>=1e3]\n",
        "space: {student_width: 0.5, channel_pruning: [0, 0.25], runtime: all, threads: [1, 2], replicas: all}\n",
        "space: {numeric_precision: [fp32, int8], runtime: eager, distillation_weight: 1, training_workers: 3}\n",
        "workload: digits\nsampler: tpe\nfrom_study: earlier\nserve: batch=8,threads=2\n",
        "serve: {batch: 8}\n",
        "workload: {model: 'torchvision:vgg11', data: {imagefolder: .}, weights: , epochs: 1, learning_rate: 0.5}\n",
        "workload: {model: 'torchvision:vit_b_16', data: {imagefolder: .}, training: {optimiser: adamw, ema: 0.99}}\n",
        "home: here\nstorage: sqlite:///s\nstage_store: s3://bucket\ntracking_uri: http://host\naddress: host:6379\n",
    ],
)
def test_what_a_search_takes_is_valid(tmp_path: Path, text: str) -> None:
    document = read(tmp_path, text)
    from_yaml(tmp_path / "file.yaml")
    assert problems(document) == []


@pytest.mark.parametrize(
    "text",
    [
        "trails: 5",
        "trials: 0",
        "trials: '5'",
        "seed: -1",
        "study: a b",
        "timeout: soon",
        "timeout: -1",
        "sampler: best",
        "objectives: sped",
        "objectives: []",
        "objectives: [macs, macs]",
        "objectives: [macs, speedup, accuracy, size_mib]",
        "constraints: macs<1",
        "serve: 8",
        "serve: {batch: 0}",
        "serve: batch=0.5",
        "constraints: [speed<=1]",
        "space: {}",
        "space: {replicas: []}",
        "space: gpus",
        "space: {student_widht: [1.0]}",
        "space: {student_width: wide}",
        "space: {numeric_precision: [int7]}",
        "space: {runtime: openvno}",
        "space: {threads: 1.5}",
        "workload: {model: 'torchvision:resnet18'}",
        "workload: {model: resnet18, data: {imagefolder: .}}",
        "workload: {model: 'torchvision:resnet18', data: {imagefolder: ., split: a}}",
        "workload: {model: 'torchvision:resnet18', data: {imagefolder: .}, epoch: 1}",
        "workload: {model: 'torchvision:resnet18', data: {imagefolder: .}, epochs: 0}",
        "workload: {model: 'torchvision:resnet18', data: {imagefolder: .}, learning_rate: 11}",
        "workload: {model: 'torchvision:resnet18', data: {imagefolder: .}, training: {optimiser: adam}}",
        "workload: {model: 'torchvision:resnet18', data: {imagefolder: .}, training: {workers: 2}}",
        "workload: {model: 'torchvision:resnet18', data: {imagefolder: .}, training: {warmup: 1}}",
        "workload: {model: 'torchvision:resnet18', data: {imagefolder: .}, training: adamw}",
        "workload: {model: 'torchvision:resnet18', data: {imagefolder: .}, weights: best}",
        "home: ' '",
        "home:",
        "# nothing",
    ],
)
def test_what_a_search_refuses_is_marked(tmp_path: Path, text: str) -> None:
    document = read(tmp_path, text)
    with pytest.raises(RequestError):
        from_yaml(tmp_path / "file.yaml")
    assert problems(document) != []


def test_the_presets_are_valid_spaces() -> None:
    for preset in preset_names():
        choices = preset_choices(preset)
        check_choices(choices)
        assert problems({"space": choices}) == []


def test_the_command_prints_it_and_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['frontrunner', 'schema']; from search.cli import main\n"
        "try: main()\n"
        "finally: print({'torch', 'ray', 'mlflow', 'optuna', 'numpy'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "set()"
    assert __import__("json").loads(done.stdout) == SCHEMA
