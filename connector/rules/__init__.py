"""What an answer means and what must happen: YAML that a CX team owns, read and judged here."""
