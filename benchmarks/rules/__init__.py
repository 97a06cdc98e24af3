"""From an answer's facts to the rules that match: our index beside general rule engines."""
