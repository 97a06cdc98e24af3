"""`connector demo`: the whole job in one process, against stand-ins of every vendor."""

from connector.cli.demo.command import demo

__all__ = ["demo"]
