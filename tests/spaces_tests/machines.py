"""Machines of the kinds for which there are presets, described: every runtime of this project is known on them."""

from dataclasses import replace

from runners.backends import all_backends
from spaces.environment import BackendFacts, Environment

SERVER_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8")
BOARD_FLAGS = ("asimddp", "asimdhp", "i8mm")


def _backends(environment: Environment, off: dict[str, str]) -> Environment:
    """The same with every runtime of the folder; those in ``off`` cannot be used for that reason."""
    facts = {
        name: BackendFacts(
            backend.precisions,
            off.get(name),
            backend.by_default,
            on_accelerator=bool(environment.accelerators) and backend.on_accelerator,
            takes=backend.takes,
            quantises=backend.quantises,
            lacks=backend.lacks,
            skips_layers=backend.skips_layers,
        )
        for name, backend in all_backends().items()
    }
    return replace(environment, backends=facts)


NO_GPU = dict.fromkeys(("tensorrt", "torch_tensorrt"), "needs an NVIDIA GPU")
NO_TPU = {"tpu": "needs a TPU"}

GPU_NODE = _backends(
    Environment(
        device="a node of eight GPUs",
        cpu_cores=96,
        cpu_flags=SERVER_FLAGS,
        accelerators=8,
        accelerator="cuda",
        accelerator_bf16=True,
        accelerator_capability=(9, 0),
        training_batch=256,
    ),
    NO_TPU,
)
OLD_GPU = replace(
    GPU_NODE, device="an older GPU", accelerators=1, accelerator_bf16=False, accelerator_capability=(7, 5)
)
TPU_HOST = _backends(
    Environment(
        device="a TPU host",
        cpu_cores=112,
        cpu_flags=SERVER_FLAGS[:4],
        accelerators=4,
        accelerator="tpu",
        accelerator_bf16=True,
        training_batch=256,
    ),
    NO_GPU,
)
BOARD = _backends(
    Environment(device="a phone-like board", cpu_cores=4, cpu_flags=BOARD_FLAGS, training_batch=32),
    {**NO_GPU, **NO_TPU, "aotinductor": "needs a C++ compiler", "inductor": "needs a C++ compiler"},
)
LAPTOP = _backends(
    Environment(device="a laptop", cpu_cores=8, cpu_flags=("avx2",), training_batch=32),
    {**NO_GPU, **NO_TPU, "ncnn": "needs `pip install ncnn`", "executorch": "needs `pip install executorch`"},
)

MACHINES = {
    "a node of eight GPUs": GPU_NODE,
    "an older GPU": OLD_GPU,
    "a TPU host": TPU_HOST,
    "a phone-like board": BOARD,
    "a laptop": LAPTOP,
}
