"""Data without a training split, without labels, or without either: what is checked, held out and said."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from runners_tests.workloads.sound_workload import inputs, targets
from torch import nn

from runners.workload import Workload
from runners.workload_loading.check import check_contract
from spaces.errors import RequestError


def trained_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


def of(**splits: Any) -> Workload:
    """A trained model with these splits."""
    return Workload("given", trained_network, lambda: splits, pretrained=True)


def same(first: Any, second: Any) -> bool:
    return bool(np.array_equal(first, second))


def test_a_part_of_the_validation_split_is_held_out_where_nothing_else_can_calibrate() -> None:
    everything = inputs(50)
    for data in (everything, (everything, targets(50))):
        workload = of(validation=data)
        judged, held = workload.splits["validation"], workload.splits["calibration"]
        assert (len(judged), len(held)) == (40, 10)
        rows = [split.batch(np.arange(len(split)))[0] for split in (judged, held)]
        digests = {row.tobytes() for part in rows for row in part}
        assert digests == {row.tobytes() for row in everything}
        assert same(rows[1], replace(workload).splits["calibration"].batch(np.arange(10))[0])
        notes = " ".join(check_contract(workload))
        assert "10 of the 50 validation examples calibrate int8 and are left out of the quality" in notes
        assert ("there are no labels: the quality is agreement" in notes) == (not workload.labelled)


def test_nothing_is_held_out_beside_other_data_to_calibrate_on() -> None:
    for other in ("train", "calibration"):
        workload = of(validation=(inputs(20), targets(20)), **{other: inputs(9, 1)})
        assert len(workload.splits["validation"]) == 20
        assert check_contract(workload) == ()
        assert "train" in workload.cannot_train


def test_a_trained_model_that_has_everything_can_be_trained_again() -> None:
    workload = of(train=(inputs(20), targets(20)), validation=(inputs(20, 1), targets(20)))
    assert workload.labelled
    assert not workload.cannot_train
    assert set(workload.splits) == {"train", "validation"}
    check_contract(workload)


@pytest.mark.parametrize(
    ("workload", "message"),
    [
        (replace(of(validation=inputs(9)), pretrained=False), "no train split to train on, and the model is not pretr"),
        (
            replace(of(validation=inputs(9), train=inputs(9, 1)), pretrained=False),
            "the train split has no labels to train on, and the model is not pretrained; say pretrained=True",
        ),
        (
            of(validation=inputs(9), train=(inputs(9, 1), targets(9))),
            "its train split has labels and its validation split has none; give both, or neither",
        ),
        (
            of(validation=(inputs(9), targets(9)), test=inputs(9, 2)),
            "its validation split has labels and its test split has none",
        ),
        (of(validation=inputs(1)), "the validation split has one example"),
        (
            of(validation=(inputs(9), targets(9)), calibration=inputs(9)),
            "9 of 9 examples of its validation split are in its calibration split too",
        ),
        (of(validation=[1, 2]), r"the validation split is list; give a pair of arrays \(inputs, targets\), inputs al"),
        (of(validation={"a": inputs(9), "b": inputs(8)}), "its inputs have 9 and 8 examples; give as many of each"),
        (
            replace(of(validation=inputs(9)), metric=lambda outputs, targets: float("nan")),
            "its metric <lambda> gives nan; it must give a finite number",
        ),
    ],
)
def test_data_that_cannot_do_are_refused_in_a_sentence(workload: Workload, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        check_contract(workload)


class Distance(nn.Module):
    """Two inputs by name, one number an example."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(16, 4)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return (self.layer(left.flatten(1)) - self.layer(right.flatten(1))).norm(dim=1, keepdim=True)


def test_several_inputs_without_labels_are_held_out_together_and_judged_by_closeness() -> None:
    given = {"left": inputs(20), "right": inputs(20, 1)}
    workload = Workload("pairs", Distance, lambda: {"validation": given}, pretrained=True)
    notes = " ".join(check_contract(workload))
    assert "the quality is closeness to the model's own outputs, 1 less the relative error" in notes
    held = workload.splits["calibration"].batch(np.arange(4))[0]
    place = [next(i for i in range(20) if same(given["left"][i], row)) for row in held["left"]]
    assert same(held["right"], given["right"][place])


def test_several_inputs_alone_are_a_dict_and_a_label_among_them_is_the_target() -> None:
    ids, mask = np.arange(24).reshape(8, 3), np.ones((8, 3), bool)
    unlabelled = of(validation={"ids": ids, "mask": mask}, calibration={"ids": ids, "mask": mask})
    assert unlabelled.keywords == ("ids", "mask")
    assert not unlabelled.labelled
    labelled = {"ids": ids, "labels": targets(8), "mask": mask}
    workload = of(validation=labelled, train=labelled)
    assert workload.keywords == ("ids", "mask")
    assert same(workload.splits["validation"].batch(np.arange(8))[1], targets(8))
    with pytest.raises(
        RequestError, match=r"split is tuple; give .* inputs alone \(several as a dict by argument name\)"
    ):
        _ = of(validation=(ids, mask, ids)).splits


def test_unlabelled_inputs_are_like_the_others_and_their_targets_are_not_read() -> None:
    labelled = {"train": (inputs(20), targets(20)), "validation": (inputs(20, 1), targets(20))}
    workload = of(**labelled, unlabelled=(inputs(30, 2), np.full(30, -1)))
    assert check_contract(workload) == ()
    assert set(workload.splits) == {"train", "validation", "unlabelled"}
    assert set(of(**labelled, unlabelled=inputs(30, 2)).splits) == {"train", "validation", "unlabelled"}
    with pytest.raises(RequestError, match=r"inputs of different shapes \(.*unlabelled \(5,\)\); make them the same"):
        check_contract(of(**labelled, unlabelled=np.zeros((30, 5), np.float32)))


def test_what_judges_may_not_be_among_the_unlabelled_inputs() -> None:
    labelled = {"train": (inputs(20), targets(20)), "validation": (inputs(20, 1), targets(20))}
    with pytest.raises(RequestError, match="20 of 20 examples of its validation split are in its unlabelled split too"):
        check_contract(of(**labelled, unlabelled=inputs(20, 1)))
