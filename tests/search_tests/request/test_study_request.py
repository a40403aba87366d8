"""Study files and options make one request; a wrong setting is one sentence that names its file or option."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from search.objectives.constraint import Constraint
from search.request.read_request import from_yaml, merge
from search.request.space_file import space_document
from search.request.study_request import StudyRequest
from search.request.units import parse_duration
from spaces.errors import RequestError
from spaces.setting_error import SettingError
from spaces.space_document import preset_names

ROOT = Path(__file__).resolve().parents[3]


def study_file(folder: Path, text: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(text)
    return path


def test_an_empty_request_has_the_defaults() -> None:
    request = merge({}, {"trials": None, "constraints": [], "objectives": ()})
    assert request == StudyRequest()
    assert (request.workload, request.space, request.trials, request.seed) == ("digits", "cpu", 18, 0)
    assert request.objectives == ("accuracy", "speedup")
    assert request.study_name == "digits"


def test_a_study_file_gives_what_it_says_and_no_more(tmp_path: Path) -> None:
    path = study_file(tmp_path, "trials: 7\ntimeout: 1h30m\nconstraints: accuracy>=0.9\nobjectives: [macs]\n")
    assert from_yaml(path) == {
        "trials": 7,
        "timeout": 5400.0,
        "constraints": (Constraint("accuracy", ">=", 0.9),),
        "objectives": ("macs",),
    }


def test_the_study_file_of_the_example_is_taken(tmp_path: Path) -> None:
    example = Path(__file__).resolve().parents[3] / "dashboards" / "example" / "cifar10.yaml"
    (tmp_path / "cifar10").mkdir()
    given = from_yaml(study_file(tmp_path, example.read_text()))
    assert (merge(given, {}).study_name, given["time_budget"]) == ("cifar10", 1800.0)


def test_options_override_the_file(tmp_path: Path) -> None:
    given = from_yaml(study_file(tmp_path, "study: a\ntrials: 7\nseed: 3\n"))
    request = merge(given, {"trials": 9, "seed": 0, "study": None})
    assert (request.study, request.trials, request.seed) == ("a", 9, 0)


def test_paths_in_a_file_are_relative_to_it_and_in_flags_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("study", "here"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.py").touch()
        (tmp_path / folder / "space.yaml").write_text("student_width: [1.0]\n")
    places = "home: h\nstorage: sqlite:///s.db\nstage_store: st\ntracking_uri: http://host:5000\n"
    path = study_file(tmp_path / "study", f"workload: net.py:NET\nspace: space.yaml\n{places}")
    monkeypatch.chdir(tmp_path / "here")
    request = merge(from_yaml(path), {})
    base = tmp_path / "study"
    assert request.workload == f"{base}/net.py:NET"
    assert request.space == f"{base}/space.yaml"
    assert (request.home, request.stage_store) == (f"{base}/h", f"{base}/st")
    assert (request.storage, request.tracking_uri) == (f"sqlite:///{base}/s.db", "http://host:5000")
    flags = merge(from_yaml(path), {"workload": "net.py", "home": "h", "stage_store": "s3://bucket/x"})
    assert flags.workload == f"{tmp_path}/here/net.py"
    assert (flags.home, flags.stage_store) == (f"{tmp_path}/here/h", "s3://bucket/x")
    assert flags.study_name == "net"


def test_a_workload_without_python_gets_absolute_paths_and_defaults(tmp_path: Path) -> None:
    (tmp_path / "flowers").mkdir()
    text = "workload:\n  model: torchvision:resnet18\n  data: {imagefolder: flowers}\n  epochs: 3\n"
    request = merge(from_yaml(study_file(tmp_path, text)), {})
    assert request.workload == {
        "model": "torchvision:resnet18",
        "data": {"imagefolder": str(tmp_path / "flowers")},
        "epochs": 3,
        "batch_size": 128,
    }
    assert request.study_name == "resnet18-flowers"


def test_a_space_may_be_a_preset_a_file_or_written_out(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("student_width: [1.0, 0.5]\n")
    for text in ("space: s.yaml", "space:\n  student_width: [1.0, 0.5]"):
        request = merge(from_yaml(study_file(tmp_path, text)), {})
        assert space_document(request.space) == {"student_width": [1.0, 0.5]}
    for name in preset_names():
        assert space_document(merge({}, {"space": name}).space)


def test_a_request_survives_json() -> None:
    request = merge({}, {"constraints": ["accuracy>=0.95", "latency_p90_ms<=5"], "timeout": "30m"})
    assert StudyRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "study: a\n\ntrails: 5\n",
            r":3: unknown key 'trails'; allowed are study, .* \(did you mean 'trials'\?\)",
        ),
        ("study: a\ntrials: 0\n", r":2: trials 0: give a whole number, 1 or more$"),
        ("trials: 1.5", r":1: trials 1\.5: give a whole number"),
        ("trials: true", r":1: trials True: give a whole number"),
        ("trials: '5'", r":1: trials '5': give a whole number"),
        ("seed: -1", r":1: seed -1: give a whole number, 0 or more"),
        ("study: a b", r":1: study 'a b': give a name of letters"),
        ("study: 42", r":1: study 42: give a name"),
        ("study: ..", r":1: study ..: give a name .* the first neither '.' nor '-'$"),
        ("study: .", r":1: study .: give a name of letters"),
        ("study: -x", r":1: study -x: give a name of letters"),
        ("timeout: soon", r":1: timeout soon: give seconds or a time such as 90s"),
        ("timeout:", r":1: timeout has no value"),
        ("objectives:\n  - accuracy\n  - sped\n", r":3: objectives sped: unknown quantity; .*did you mean 'speedup'"),
        ("objectives: [macs, macs]", r":1: objectives macs: is given twice"),
        ("objectives: sped", r":1: objectives sped: unknown quantity; .*did you mean 'speedup'"),
        ("constraints: macs<1", r":1: constraints macs<1: give a quantity, <= or >="),
        ("objectives: []", r":1: objectives: give 1 to 3 quantities, not 0"),
        ("constraints:\n  - macs<=1\n  - macs<1\n", r":3: constraints macs<1: give a quantity, <= or >="),
        ("workload: digitz", r":1: unknown workload 'digitz'; .*did you mean 'digits'"),
        (
            "workload:\n  model: torchvision:resnet18\n",
            r":1: workload: a workload without Python needs 'data'; it has model$",
        ),
        (
            "workload:\n  model: torchvision:resnet18\n  data:\n    imagefolder: gone\n",
            r":4: workload\.data\.imagefolder gone: there is no folder",
        ),
        (
            "workload:\n  model: torchvision:resnet18\n  epoch: 3\n",
            r":3: unknown key 'epoch' in workload; allowed are model, .*did you mean 'epochs'",
        ),
        ("space: gpus", r":1: space gpus: unknown space; allowed are cpu, "),
        ("space: gone.yaml", r":1: space gone\.yaml: there is no file"),
        ("space:\n  student_widht: [1.0]\n", r":2: unknown key 'student_widht' in the space; .*mean 'student_width'"),
        ("space:\n  student_width:\n    - 1.0\n    - wide\n", r":4: space\.student_width wide: allowed is "),
        ("space: bad.yaml", r"bad\.yaml:2: student_width 7: allowed is "),
        ("space: {}", r":1: space: holds no choices; allowed are cpu, "),
        (
            "space:\n  numeric_precision: [fp32, int7]",
            r":2: space\.numeric_precision int7: .* \(did you mean 'int8'\?\)",
        ),
        ("space:\n  runtime:\n  - eager\n  - openvno", r":4: space\.runtime openvno: .* \(did you mean 'openvino'\?\)"),
        ("space:\n  runtime: al", r":2: space\.runtime al: allowed are .*eager, .* and all \(did you mean 'all'\?\)"),
        ("space:\n  runtime: [2]", r":2: space\.runtime 2: allowed are .*eager, .* and all$"),
        ("space:\n  student_width:\n", r":2: space\.student_width: allowed is a number above 0"),
        ("space:\n  student_width:\n    from: 1\n", r":2: space\.student_width: allowed is a number above 0"),
        ("space:\n  student_width: [[1.0]]\n", r":2: space\.student_width 1\.0: allowed is a number above 0"),
        ("from: digits", r":1: unknown key 'from'; .* \(did you mean 'from_study'\?\)"),
        ("Time-Budget: 5m", r":1: unknown key 'Time-Budget'; .* \(did you mean 'time_budget'\?\)"),
        ("p" * 1000 + ": 1", r":1: unknown key 'p{50}\.\.\.p{50}'; allowed are"),
        ("threads: [1, 2]", r":1: the key 'threads' does not belong here; write it under space$"),
        ("seed: 1\nepochs: 5", r":2: the key 'epochs' does not belong here; write it under workload$"),
        (
            "space:\n  runtime: all\n  trials: 5",
            r":3: the key 'trials' does not belong in space; write it at the top of .* file, without indent",
        ),
        (
            "workload:\n  model: torchvision:resnet18\n  data:\n    imagefolder: .\n    epochs: 5",
            r":5: the key 'epochs' does not belong in workload\.data; write it under workload$",
        ),
        (
            "workload:\n  epochs:\n  model: torchvision:a\n  data: {imagefolder: .}",
            r":2: workload\.epochs: give a whole",
        ),
        (
            "trials: 3\nworkload:\n  data: {imagefolder: .}\n  model: torchvision:resnet81",
            r":4: workload\.model torchvision:resnet81: .* classification model 'resnet81' \(did you mean 'resnet18'",
        ),
        (
            "workload: {model: 'torchvision:fcn_resnet50', data: {imagefolder: .}}",
            r":1: workload\.model torchvision:fcn_resnet50: torchvision's fcn_resnet50 is for segmentation",
        ),
        ("objectives: [[accuracy]]", r":1: objectives accuracy: unknown quantity"),
        ("objectives: {accuracy: 1}", r":1: objectives: unknown quantity"),
        ("home: ~nobody-of-that-name/home", r":1: home ~nobody-of-that-name/home: cannot be looked for \("),
        ("space: " + "long" * 2000 + ".yaml", r":1: space: cannot be looked for \(File name too long\)"),
        ('study: "a\\nb"', r":1: study 'a\\nb': give a name of letters"),
        ("home: 3", r":1: home 3: give a folder"),
        ("- a", "holds no settings; allowed are study, workload"),
        ("", "holds no settings"),
        ("seed: -1\ntrials: 0\n", r":1: seed -1"),
    ],
)
def test_what_is_wrong_in_a_file_names_the_line(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "bad.yaml").write_text("# a space\nstudent_width: 7\n")
    with pytest.raises(RequestError, match=r"\.yaml(:\d+)?:? .*") as refusal:
        from_yaml(study_file(tmp_path, text))
    assert str(refusal.value).startswith(str(tmp_path / "study.yaml"))
    refusal.match(sentence)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"trials": 0}, r"^--trials 0: give a whole number, 1 or more$"),
        ({"objectives": ["acuracy"]}, r"^--objective acuracy: unknown quantity; .* \(did you mean 'accuracy'\?\)$"),
        ({"objectives": ["macs", "speedup", "accuracy", "load_ms"]}, r"^--objective '.*': give 1 to 3 .*, not 4$"),
        ({"constraints": ["speed<=1"]}, r"^--constraint speed<=1: unknown quantity 'speed'"),
        ({"constraints": ["accuracy=1"]}, r"^--constraint accuracy=1: give a quantity, <= or >=, and a number"),
        ({"constraints": ["latency_p50_ms<=inf"]}, r"^--constraint .*: the bound must be a finite number, in ms$"),
        ({"stage_store": " "}, r"^--stage-store ' ': give an address"),
        ({"workload": "gone.py"}, r"^--workload gone\.py: there is no file gone\.py"),
        ({"space": "gone"}, r"^--space gone: unknown space"),
        ({"home": "~nobody-of-that-name"}, r"^--home ~nobody-of-that-name: cannot be looked for \("),
    ],
)
def test_what_is_wrong_in_a_flag_names_the_flag(flags: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        merge({}, flags)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(90, 90), ("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1.5h", 5400), ("1m30s", 90)],
)
def test_a_time_is_read_as_people_write_it(given: object, seconds: float) -> None:
    assert parse_duration(given) == seconds


@pytest.mark.parametrize("given", ["", "0", 0, -5, "30 minutes", "m", "1h-30m", True, None, float("nan"), [], "30m1h"])
def test_a_wrong_time_is_refused(given: object) -> None:
    with pytest.raises(SettingError, match="give seconds or a time"):
        parse_duration(given)


@pytest.mark.parametrize("text", ["latency_p90_ms<=5", "accuracy>=0.95", "accuracy_drop<=1e-07", "macs<=123456789"])
def test_a_constraint_survives_being_written(text: str) -> None:
    assert str(Constraint.parse(text)) == text
    assert Constraint.parse(f" {text.replace('=', '= ')} ") == Constraint.parse(text)


def test_a_violation_is_a_share_of_the_bound_and_at_most_0_is_feasible() -> None:
    slow = Constraint("latency_p90_ms", "<=", 5)
    assert slow.violation({"latency_p90_ms": 10.0}) == 1.0
    assert slow.violation({"latency_p90_ms": 5.0}) == 0.0
    assert slow.violation({"latency_p90_ms": 4.0}) < 0
    assert Constraint("accuracy", ">=", 0.8).violation({"accuracy": 0.6}) == pytest.approx(0.25)
    assert Constraint("accuracy_drop", "<=", 0).violation({"accuracy_drop": 0.02}) == 0.02


@pytest.mark.parametrize("measured", [{}, {"macs": None}, {"macs": float("nan")}, {"macs": float("inf")}])
def test_what_was_not_measured_is_never_feasible(measured: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="macs was not measured"):
        Constraint("macs", ">=", 1).violation(measured)


def test_reading_a_request_imports_nothing_heavy() -> None:
    heavy = ("torch", "ray", "mlflow", "optuna", "numpy", "sklearn", "torchvision")
    merge = "import sys, search.request.read_request as c; c.merge({}, {})"
    program = f"{merge}; sys.exit(str(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.strip() == "set()"
