"""The process that owns a study: it proposes candidates, runs their stages and records the results."""
