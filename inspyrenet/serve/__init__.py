"""The HTTP API: the Remover behind POST /api/remove (extra web)."""
