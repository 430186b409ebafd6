"""The part of a hypervisor that the kernel here lacks (it has no 8021q): what a tenant sends leaves on the access link under the
VN's tag, and what arrives under that tag reaches the tenant without it. Other frames of the link are nobody's business here.

Each line is {"id": n, "call": "join", ...}; the answer is {"id": n, "result": null} or {"id": n, "error": text}.

  join(link, tenant, tags)   link and tenant: [netns, iface]; tags: [[TPID, VID], ...], the outermost first
"""

import errno
import json
import os
import selectors
import struct
import sys

import packets

TAG = struct.Struct("!HH")
VID = 0x0FFF
# Between an interface going down and the test's end nothing can be sent: as on a real wire, the frame is lost.
GONE = (errno.ENETDOWN, errno.ENXIO, errno.ENODEV, errno.ENOBUFS)


class End:
    """One interface; `hear` gets each frame."""

    def __init__(self, where, hear):
        self.raw = packets.packet_socket(*where)
        self.hear = hear

    def send(self, frame):
        try:
            self.raw.send(frame)
        except OSError as error:
            if error.errno not in GONE:
                raise

    def receive(self):
        for _ in range(256):
            try:
                frame = packets.receive(self.raw)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in GONE:
                    raise
                return
            self.hear(frame)


class Link:
    """Its tenants, by the tags under which their frames travel."""

    def __init__(self, where):
        self.tenants = {}
        self.end = End(where, self.hear)

    def hear(self, frame):
        for tags, tenant in self.tenants.items():
            if tags_of(frame, len(tags)) == tags:
                tenant.send(frame[:12] + frame[12 + 4 * len(tags) :])


def tags_of(frame, count):
    """The (TPID, VID) that a frame begins with; priorities do not count."""
    if len(frame) < 14 + 4 * count:
        return None
    pairs = (TAG.unpack_from(frame, 12 + 4 * i) for i in range(count))
    return tuple((tpid, tci & VID) for tpid, tci in pairs)


class Relay:
    def __init__(self):
        self.links = {}
        self.selector = selectors.DefaultSelector()
        self.input = b""
        self.selector.register(0, selectors.EVENT_READ, self.commands)

    def join(self, link, tenant, tags):
        where = tuple(link)
        if where not in self.links:
            self.links[where] = Link(where)
            self.listen(self.links[where].end)
        joined = self.links[where]
        pushed = b"".join(TAG.pack(tpid, vid) for tpid, vid in tags)
        end = End(tenant, lambda frame: joined.end.send(frame[:12] + pushed + frame[12:]))
        self.listen(end)
        joined.tenants[tuple(tuple(tag) for tag in tags)] = end

    def listen(self, end):
        self.selector.register(end.raw, selectors.EVENT_READ, end.receive)

    def commands(self):
        data = os.read(0, 1 << 16)
        if not data:
            sys.exit(0)
        *lines, self.input = (self.input + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            try:
                self.join(request["link"], request["tenant"], request["tags"])
                answer = {"result": None}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps({"id": request["id"], **answer}), flush=True)

    def run(self):
        while True:
            for key, _events in self.selector.select():
                key.data()


Relay().run()
