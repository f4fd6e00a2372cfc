"""Dashboards as code: queries and panels come from the catalogue, so that no name or unit can be wrong."""
