"""How fast it is, always beside something that does less: run `make bench`."""
