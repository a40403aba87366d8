"""The files for clusters: Ray's own schema takes the one for its autoscaler, and both do what the guide says."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from runners.executors.cluster.target import read_target

CLUSTER = Path(__file__).resolve().parents[3] / "runners" / "cluster"
MEASURING = "role=measuring"


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((CLUSTER / name).read_text(encoding="utf-8"))
    return document


def with_defaults() -> dict[str, Any]:
    """The file for the autoscaler as `ray up` prepares it, before it asks a cloud for anything."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared: dict[str, Any] = prepare_config(read("autoscaling.yaml"))
    validate_config(prepared)
    return prepared


def test_ray_takes_the_file_for_its_autoscaler() -> None:
    prepared = with_defaults()
    types = prepared["available_node_types"]
    assert set(types) == {"head", "training", "measuring"}
    assert types["head"]["max_workers"] == 0
    assert sum(each["max_workers"] for each in types.values()) <= prepared["max_workers"]


def test_rays_schema_refuses_a_key_that_it_does_not_know() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    with pytest.raises(jsonschema.ValidationError, match="min_worker"):
        validate_config({**prepare_config(read("autoscaling.yaml")), "min_worker": 1})


def test_in_both_no_stage_runs_on_the_head_and_one_group_measures() -> None:
    types = read("autoscaling.yaml")["available_node_types"]
    spec = read("rayjob.yaml")["spec"]
    head, groups = spec["rayClusterSpec"]["headGroupSpec"], spec["rayClusterSpec"]["workerGroupSpecs"]
    assert types["head"]["resources"]["CPU"] == 0
    assert head["rayStartParams"]["num-cpus"] == "0"
    target = read_target(MEASURING, "a:1")
    assert target is not None
    assert [name for name, each in types.items() if each.get("labels") == {target.name: target.value}] == ["measuring"]
    assert [each["groupName"] for each in groups if each["rayStartParams"]["labels"] == MEASURING] == ["measuring"]
    assert f"--measure-on {MEASURING}" in spec["entrypoint"]


def test_the_job_of_kuberay_has_one_image_and_whole_cores_for_what_measures() -> None:
    document = read("rayjob.yaml")
    assert (document["apiVersion"], document["kind"]) == ("ray.io/v1", "RayJob")
    cluster = document["spec"]["rayClusterSpec"]
    pods = [each["template"]["spec"] for each in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]
    containers = [container for pod in pods for container in pod["containers"]]
    assert len({container["image"] for container in containers}) == 1
    for container in containers:
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert container["resources"]["limits"]["cpu"].isdigit()
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    assert pods[2]["nodeSelector"]


def test_the_job_of_kuberay_names_the_version_of_ray_that_is_tested() -> None:
    import ray

    assert read("rayjob.yaml")["spec"]["rayClusterSpec"]["rayVersion"] == ray.__version__


def test_the_search_of_the_job_is_one_that_the_command_line_takes() -> None:
    from typer.testing import CliRunner

    from search.cli import app

    program, command, study, *options = read("rayjob.yaml")["spec"]["entrypoint"].split()
    assert (program, command, study) == ("frontrunner", "search", "/studies/study.yaml")
    shown = CliRunner().invoke(app, ["search", "--help"], env={"COLUMNS": "200"}).output
    assert all(option in shown for option in options[::2])
