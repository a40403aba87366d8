"""What serving shows: throughput of replicas, load time, memory, energy."""
