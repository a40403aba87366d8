"""The machine at hand: devices, versions, leases, and what libraries would report."""
