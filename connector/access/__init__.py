"""Who may come in: users and their passwords, browsers that signed in, tokens of programs."""
