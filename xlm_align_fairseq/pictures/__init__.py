"""Pictures of links: pages, text for a terminal, plots."""
