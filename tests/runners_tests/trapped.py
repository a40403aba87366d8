"""A workload whose networks go wrong in the ways that candidates do."""

from pathlib import Path

from torch import nn

from runners.backend import Trained
from runners.backends import find_backend
from runners.workload import Workload

CRASH, HANG, NAN, OTHER_SHAPE, OTHER_ANSWERS, SLOW, RAISE, CHATTY, FORK = range(1, 10)

FILE = """
import os
import signal
import subprocess
import time
import torch
from torch import nn
from runners.workload import Workload
from runners.workloads.synthetic import make_splits


class Trap(nn.Module):
    '''Goes wrong as the number among its weights says.'''

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 4)
        self.register_buffer("fault", torch.zeros(1))

    def forward(self, x):
        fault, answer = int(self.fault.item()), self.layer(x.flatten(1))
        if fault == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        if fault == 2:
            left_behind = os.environ.get("LEFT_BEHIND")
            if left_behind:
                child = subprocess.Popen(["sleep", "600"])
                with open(left_behind, "w") as file:
                    file.write(f"{child.pid} {os.getpid()}")
            time.sleep(600)
        if fault == 3:
            return answer * float("nan")
        if fault == 4 and len(x) == 1:
            return torch.cat([answer, answer], 1)
        if fault == 5:
            return answer + torch.rand_like(answer)
        if fault == 6:
            time.sleep(0.3)
        if fault == 7:
            raise ValueError("the kernel is not for this processor")
        if fault == 8:
            print("x" * 100_000, flush=True)
        if fault == 9:
            if os.fork() == 0:
                os.setsid()
                time.sleep(20)
                os._exit(0)
            os._exit(3)
        return answer


WORKLOAD = Workload("trapped", Trap, make_splits)
"""


def write_workload(folder: Path) -> str:
    """The reference of the workload, in a file of its own."""
    file = folder / "trapped.py"
    file.write_text(FILE)
    return f"{file}:WORKLOAD"


def make_network(workload: Workload, fault: int) -> nn.Module:
    """A network with that fault, or with none for 0."""
    network = workload.model().eval()
    network.fault.fill_(fault)
    return network


def lower(workload: Workload, fault: int, folder: Path) -> Path:
    """The same as an artifact of the eager backend in ``folder``."""
    trained = Trained(make_network(workload, fault), lambda: Path(), workload.example_inputs, "fp32")
    find_backend("eager").lower(trained, folder)
    return folder
