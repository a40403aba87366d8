"""How a search is seen: tracked, drawn, tabulated."""
