"""The mean loss of each epoch of a training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from runners_tests.small_workload import write_small_workload
from torch import Tensor

from runners.lowering.weights import save_network
from runners.training.epoch_losses import EpochLosses
from runners.training.level import train_level
from runners.training.settings import Level, LevelFolders, TrainingSettings
from runners.training.strategy import Share
from runners.workload import Workload
from runners.workload_loading.reference import resolve


class Alone:
    """A share without a training: of one worker."""

    computes_loss = True
    training = type("Training", (), {"workers": 1})


def test_losses_are_averaged_by_epoch_and_what_is_not_finite_is_left_out() -> None:
    losses = EpochLosses(range(2, 5), steps=2)
    for loss in (1.0, 3.0, float("nan"), 1.0, 5.0, 7.0):
        losses.add(torch.tensor(loss, requires_grad=True))
    share: Any = Alone()
    assert losses.means(share) == {3: 2.0, 5: 6.0}


def test_levels_have_the_losses_of_training_in_one_go_which_are_those_of_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload, steps = resolve(write_small_workload(tmp_path)), list[Tensor]()
    add_gradients = Share.add_gradients
    monkeypatch.setattr(Share, "add_gradients", lambda *given: steps.append(add_gradients(*given)) or steps[-1])
    whole = _trained(workload, tmp_path, (3,))
    assert [*whole] == [1, 2, 3]
    by_epoch = torch.stack(steps).reshape(3, -1).mean(1).tolist()
    assert [*whole.values()] == pytest.approx(by_epoch, rel=1e-5)
    assert whole[1] > whole[3]
    assert _trained(workload, tmp_path, (1, 3)) == whole


def test_parts_of_a_batch_give_the_loss_of_the_whole(tmp_path: Path) -> None:
    workload = replace(resolve("synthetic"), augment=None)
    one, three = (_trained(workload, tmp_path / name, (1,), accumulation=int(name)) for name in ("1", "3"))
    assert three[1] == pytest.approx(one[1], rel=0.05)  # batch normalisation sees each part alone


def _trained(workload: Workload, folder: Path, ends: tuple[int, ...], **choices: Any) -> dict[int, float]:
    """The losses of levels that end at ``ends``."""
    before, losses = folder / "start", dict[int, float]()
    before.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    save_network(workload.model(), before)
    settings = TrainingSettings(replace(workload.training, epochs=ends[-1], **choices))
    for begin, end in zip((0, *ends), ends, strict=False):
        (result := folder / f"{ends} {end}").mkdir()
        level, folders = Level(settings, range(begin, end), 5), LevelFolders(before, None, result)
        losses |= train_level(workload, level, folders).losses
        before = result
    return losses
