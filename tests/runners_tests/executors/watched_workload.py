"""A workload that tells where and when a worker of Ray made its network, for tests of placement."""

WATCHED = '''\
import json, os, time
from pathlib import Path
import ray
from runners.workload import Workload
from runners.workloads.synthetic import make_network as plain, make_splits


LAST_WORDS = Path(__file__).with_suffix(".die")
if LAST_WORDS.exists() and ray.is_initialized():
    LAST_WORDS.unlink()
    os.kill(os.getpid(), 9)


def make_network():
    """Tells where and when a worker of Ray called it: the longest part of settling."""
    if not ray.is_initialized():
        return plain()
    context = ray.get_runtime_context()
    begin = time.time()
    time.sleep(0.7)
    told = {"node": context.get_node_id(), "gpus": context.get_assigned_resources().get("GPU", 0),
            "cpus": context.get_assigned_resources().get("CPU", 0), "begin": begin, "end": time.time(),
            "devices": os.environ.get("CUDA_VISIBLE_DEVICES", "")}
    place = Path(__file__).parent / "told" / f"{os.getpid()}-{time.time_ns()}.json"
    place.write_text(json.dumps(told))
    return plain()


WORKLOAD = Workload("watched", make_network, make_splits, pretrained=True)
'''
