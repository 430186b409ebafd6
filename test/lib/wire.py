"""LLDP and ECP frames of some interfaces, as a stream: what stands on stdin is sent, what is heard stands on stdout. Each frame comes
after its interface's place in the arguments and its length, 16 bits each. Arguments: NETNS IFACE, for each interface.
"""

import errno
import os
import selectors
import struct
import sys

import packets

HEAD = struct.Struct("!HH")
ETHERTYPES = (b"\x88\xcc", b"\x89\x40")
# A frame that finds no carrier is lost, as on a real wire.
GONE = (errno.ENETDOWN, errno.ENXIO, errno.ENODEV, errno.ENOBUFS)

interfaces = [packets.packet_socket(*pair) for pair in zip(sys.argv[1::2], sys.argv[2::2])]
selector = selectors.DefaultSelector()
selector.register(0, selectors.EVENT_READ, None)
for index, raw in enumerate(interfaces):
    selector.register(raw, selectors.EVENT_READ, index)


def hear(index):
    heard = []
    for _ in range(256):
        try:
            frame = packets.receive(interfaces[index])
        except BlockingIOError:
            break
        except OSError as error:
            if error.errno not in GONE:
                raise
            break
        if frame[12:14] in ETHERTYPES:
            heard.append(HEAD.pack(index, len(frame)) + frame)
    sys.stdout.buffer.write(b"".join(heard))
    sys.stdout.buffer.flush()


def send(data):
    """Sends the whole frames at the beginning; the rest."""
    at = 0
    while len(data) - at >= HEAD.size:
        index, length = HEAD.unpack_from(data, at)
        end = at + HEAD.size + length
        if end > len(data):
            break
        try:
            interfaces[index].send(data[at + HEAD.size : end])
        except OSError as error:
            if error.errno not in GONE:
                raise
        at = end
    return data[at:]


print("ready", file=sys.stderr, flush=True)
rest = b""
while True:
    for key, _events in selector.select():
        if key.data is not None:
            hear(key.data)
            continue
        data = os.read(0, 1 << 16)
        if not data:
            sys.exit(0)
        rest = send(rest + data)
