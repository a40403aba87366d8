"""Where stages run: in this process, on Ray, or in simulation."""
