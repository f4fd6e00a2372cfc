"""The stores behind the port `nodetide_core.store.Store`, and what they share."""
