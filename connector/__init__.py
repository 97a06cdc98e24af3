"""Close the NPS loop: survey answers in, rules decide, tickets and tasks out, once and provably."""

__version__ = "0.1.0"
