"""What strategies of training are made of: shards, statistics over workers, plans of division, pipelines."""
