"""Raw sockets in any network namespace, with the VLAN tags that the kernel takes off a frame put back.

The kernel takes the outermost VLAN tag off a frame before a socket sees it, and PACKET_AUXDATA gives it back, TPID included.
Frames that this host itself sends out of an interface are not heard on it.
"""

import ctypes
import os
import socket
import struct

SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_IGNORE_OUTGOING = 23
ETH_P_ALL = 3
TP_STATUS_VLAN_VALID = 0x10
TP_STATUS_VLAN_TPID_VALID = 0x40
AUXDATA = struct.Struct("=IIIHHHH")
LONGEST = 65536
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def enter(path):
    with open(path) as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), path)


def packet_socket(netns, iface):
    home = "/proc/self/ns/net"
    with open(home) as here:
        enter(netns)
        try:
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        finally:
            libc.setns(here.fileno(), CLONE_NEWNET)
    raw.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), 32 << 20)
    raw.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    raw.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    raw.bind((iface, ETH_P_ALL))
    raw.setblocking(False)
    return raw


def receive(raw):
    """One frame as it was on the wire; BlockingIOError if none waits."""
    data, control, flags, _address = raw.recvmsg(LONGEST, 256)
    if flags & socket.MSG_TRUNC:
        raise RuntimeError("a frame longer than 64 KiB")
    for level, kind, value in control:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _len, _snap, _mac, _net, tci, tpid = AUXDATA.unpack(value[: AUXDATA.size])
            if status & TP_STATUS_VLAN_VALID:
                if not status & TP_STATUS_VLAN_TPID_VALID:
                    raise RuntimeError("the kernel does not say which tag it took off")
                data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
    return data
