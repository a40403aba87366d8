"""Environments for tests, from a machine without any special support to one with everything."""

from dataclasses import replace

from spaces.environment import BackendFacts, Environment, ModelLimit

BARE = Environment()

LAPTOP = Environment(
    device="a laptop",
    cpu_cores=2,
    cpu_flags=("avx2", "avx512_bf16"),
    backends={
        "eager": BackendFacts(("fp32", "bf16"), skips_layers=True),
        "torchscript": BackendFacts(("fp32",)),
        "onnxruntime": BackendFacts(
            ("fp32", "int8"),
            options={"execution_provider": ("cpu", "openvino"), "onnxslim": (False, True)},
            takes=("graph_level", "execution_provider", "onnxslim"),
            quantiser="onnxruntime",
            skips_layers=True,
        ),
        "openvino": BackendFacts(("fp32", "bf16", "int8"), quantiser="nncf", skips_layers=True),
        "tensorrt": BackendFacts(("fp32", "bf16", "int8"), unsupported="needs an NVIDIA accelerator"),
    },
)

ENVIRONMENTS = {
    "bare": BARE,
    "laptop": LAPTOP,
    "an odd number of cores": replace(LAPTOP, cpu_cores=6),
    "an old CPU": replace(LAPTOP, cpu_flags=("avx2",)),
    "an accelerator": replace(LAPTOP, cpu_flags=(), accelerators=1, accelerator="cuda"),
    "no runtime for int8": replace(LAPTOP, backends={"eager": LAPTOP.backends["eager"]}),
    "optional packages missing": replace(
        LAPTOP, missing={"nncf": "needs `pip install nncf`", "torch_pruning": "needs `pip install torch-pruning`"}
    ),
    "a model that cannot be pruned": replace(
        LAPTOP,
        model_limits=tuple(
            ModelLimit({"channel_pruning": share}, "the model reshapes by a fixed size") for share in (0.25, 0.5, 0.75)
        ),
    ),
}
