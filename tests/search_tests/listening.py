"""The addresses at which processes can be reached."""

import ipaddress

import psutil


def listeners(process: psutil.Process) -> list[tuple[str, str]]:
    """The process's name with each address at which it can be reached."""
    try:
        opened = process.net_connections("inet")
        return [(process.name(), each.laddr.ip) for each in opened if each.laddr and not each.raddr]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    address = ipaddress.ip_address(host)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
