"""One process trains the network."""

from runners.training.strategy import Share, Strategy, Training


class Single(Strategy):
    """Nothing is shared."""

    name = "single"
    processes = False

    def share(self, training: Training) -> Share:
        return Share(training)


STRATEGY = Single()
