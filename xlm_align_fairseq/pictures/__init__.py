"""Pictures that need nothing else: alignments as a page for the browser or as text, and curves as SVG."""
