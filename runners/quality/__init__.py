"""The quality of an artifact: its metric with an interval, and what two artifacts answered in pairs."""
