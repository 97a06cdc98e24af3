"""Engines only call the stages and wake them; a stage does not know which engine it runs in."""
