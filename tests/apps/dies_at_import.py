"""Cannot be imported."""

raise RuntimeError("this application dies at import")
