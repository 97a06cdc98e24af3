"""The read API: JSON for programs, with tokens of their own, described by an OpenAPI document."""
