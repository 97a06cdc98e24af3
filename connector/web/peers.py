"""Which address a request comes from, and whether a proxy that we trust has sent it."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request


def peer(request: Request) -> str:
    return request.client.host if request.client else ""


def is_trusted(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def client_address(request: Request, networks: Sequence[IPv4Network | IPv6Network]) -> str:
    """The nearest that no proxy of ours vouches for: what stands farther left anybody can write."""
    address = peer(request)
    told = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    while told and is_trusted(address, networks):
        before = told.pop().strip()
        if not before:
            break
        address = _without_port(before)[:100]
    return address


def _without_port(told: str) -> str:
    """`203.0.113.9:51234` and `[2001:db8::1]:443` are addresses with the port of one connection."""
    if told.startswith("["):
        return told[1:].partition("]")[0]
    host, colon, _port = told.partition(":")
    return host if colon and "." in host else told


def network_of(address: str) -> str:
    """Whom to count attempts by: an IPv6 customer has 2^64 addresses and more."""
    try:
        found = ip_address(address)
    except ValueError:
        return "an unknown address"  # else whoever may write anything would never be the same
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(IPv6Network((int(found), 64), strict=False))
    return str(found)
