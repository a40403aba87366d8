"""One file each; every file declares one `runners.workload.Workload` as ``WORKLOAD``."""
