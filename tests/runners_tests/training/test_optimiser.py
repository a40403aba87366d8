"""What the optimiser decays, how the learning rate goes, and what the average of weights is."""

import torch
from runners_tests.whole_share import whole_share
from torch import nn

from runners.training.averaging import WeightAverage
from runners.training.optimiser import make_optimiser, without_decay
from runners.training.schedule import cosine_share, make_schedule
from spaces.plans import TrainingPlan


def test_adamw_decays_neither_norms_nor_biases_and_sgd_decays_all() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    network.requires_grad_(True)
    for parameter in network.parameters():
        nn.init.ones_(parameter)
        parameter.grad = torch.zeros_like(parameter)
    share = whole_share(network)
    plan = TrainingPlan(optimiser="adamw", learning_rate=0.1, weight_decay=0.5)
    make_optimiser(share, plan, {}, undecayed=without_decay(share.module)).step()
    decayed = {name for name, parameter in network.named_parameters() if parameter.mean() < 0.99}
    assert decayed == {"0.weight", "3.weight"}
    make_optimiser(share, TrainingPlan(weight_decay=0.5), {}).step()
    assert all(parameter.mean() < 0.99 for parameter in network.parameters())


def test_the_cosine_rises_falls_and_never_stands_at_zero() -> None:
    shares = [cosine_share(step, 100, 0.1) for step in range(100)]
    assert shares[:10] == sorted(shares[:10])
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert (shares[0], shares[10]) == (1 / 11, 1.0)
    assert 0 < shares[-1] < 0.001
    assert cosine_share(0, 1, 0.9) > 0


def test_a_schedule_that_goes_on_has_the_rates_of_one_in_one_go() -> None:
    for plan in (TrainingPlan(schedule="cosine"), TrainingPlan(), TrainingPlan(optimiser="adamw")):
        rates = []
        for done in (0, 7):
            optimiser = make_optimiser(whole_share(nn.Linear(2, 2)), plan, {})
            schedule = make_schedule(optimiser, plan, 20, done)
            rates.append([])
            for _ in range(done, 19):
                rates[-1].append(schedule.get_last_lr()[0])
                optimiser.step()
                schedule.step()
        assert rates[0][7:] == rates[1]


def test_the_average_follows_slowly_and_takes_its_place_at_the_end() -> None:
    network = nn.BatchNorm1d(1)
    average = WeightAverage(whole_share(network), 0.5, {}, done=1000)
    with torch.no_grad():
        network.weight.fill_(3.0)
        network.running_mean.fill_(1.0)  # type: ignore[union-attr]
    average.update()
    live = average.exchange()
    assert (network.weight.item(), network.running_mean.item()) == (2.0, 0.5)  # type: ignore[union-attr]
    assert live["live/weight"].item() == 3.0
    again = WeightAverage(whole_share(network), 0.5, live, done=1001)
    assert network.weight.item() == 3.0
    again.exchange()
    assert network.weight.item() == 2.0


def test_early_on_the_average_forgets_its_first_weights() -> None:
    network = nn.Linear(1, 1)
    average = WeightAverage(whole_share(network), 0.999, {}, done=0)
    with torch.no_grad():
        network.weight.fill_(5.0)
    for _ in range(30):
        average.update()
    average.exchange()
    assert abs(network.weight.item() - 5.0) < 0.01
