"""Sends and hears Ethernet frames, byte for byte, as a test tells it on stdin: an independent witness that shares no code with the
product. One process serves any number of interfaces, in any network namespaces.

Each line is {"id": n, "call": name, ...}; the answer is {"id": n, "result": ...} or {"id": n, "error": text}. Frames are hex.

  open(on, netns, iface)          names a socket
  send(on, frames, paced)         sends each once; result: [[index, errno name]] of those that the kernel refused
  take(on, count, timeout, quiet) waits for `count` frames, or `timeout` seconds, then for `quiet` seconds without any; result: all
                                  frames since the last take, and how many the socket lost
  flow(on, frames, period)        sends all frames every `period` seconds, from now on, with a 32-bit number in the last four bytes
  halt(on)                        ends the flow; result: numbers used, and frames refused
  tally(on, at, size)             from now on counts frames by their bytes from `at`, and keeps none
  counts(on, clear)               result: {bytes: [frames, highest number, out of order]}, and how many the socket lost; then, if
                                  `clear`, counting starts anew
"""

import collections
import errno
import json
import os
import selectors
import struct
import sys
import time

import packets

PACKET_STATISTICS = 6
NUMBER = struct.Struct("!I")


class Socket:
    """One interface."""

    def __init__(self, netns, iface):
        self.raw = packets.packet_socket(netns, iface)
        self.heard = collections.deque()
        self.waiter = None
        self.flow = None
        self.tally = None
        self.lost = 0

    def receive(self):
        """Everything that waits, at most one batch."""
        for _ in range(256):
            try:
                data = packets.receive(self.raw)
            except BlockingIOError:
                return
            if self.tally is not None:
                self.tally.count(data)
            else:
                self.heard.append(data)
            if self.waiter is not None:
                self.waiter.last = time.monotonic()

    def losses(self):
        _packets, drops = struct.unpack("=II", self.raw.getsockopt(packets.SOL_PACKET, PACKET_STATISTICS, 8))
        self.lost += drops
        return self.lost


class Tally:
    def __init__(self, at, size):
        self.part = slice(at, at + size)
        self.labels = {}

    def count(self, data):
        entry = self.labels.setdefault(data[self.part], [0, 0, 0])
        number = NUMBER.unpack(data[-4:])[0] if len(data) >= 4 else 0
        entry[0] += 1
        if number < entry[1]:
            entry[2] += 1
        else:
            entry[1] = number


class Flow:
    def __init__(self, frames, period):
        self.heads = [frame[:-4] for frame in frames]
        self.period = period
        self.due = time.monotonic()
        self.number = 0
        self.refused = 0

    def send(self, raw):
        for head in self.heads:
            self.number += 1
            try:
                raw.send(head + NUMBER.pack(self.number & 0xFFFFFFFF))
            except OSError as error:
                if error.errno not in (errno.ENOBUFS, errno.EAGAIN, errno.ENETDOWN, errno.ENXIO):
                    raise
                self.refused += 1
        now = time.monotonic()
        # After a pause no backlog is made good: a flow never floods.
        self.due = max(self.due + self.period, now)


class Waiter:
    def __init__(self, id, count, timeout, quiet):
        self.id = id
        self.count = count
        self.quiet = quiet
        self.last = time.monotonic()
        self.end = self.last + timeout

    def due(self, heard):
        """When to answer as things stand."""
        return self.last + self.quiet if len(heard) >= self.count else max(self.end, self.last + self.quiet)


class Server:
    def __init__(self):
        self.sockets = {}
        self.selector = selectors.DefaultSelector()
        self.input = b""
        os.set_blocking(0, False)
        self.selector.register(0, selectors.EVENT_READ, None)

    def answer(self, id, **what):
        sys.stdout.write(json.dumps({"id": id, **what}) + "\n")
        sys.stdout.flush()

    def open(self, request):
        opened = Socket(request["netns"], request["iface"])
        self.sockets[request["on"]] = opened
        self.selector.register(opened.raw, selectors.EVENT_READ, opened)

    def send(self, request):
        raw = self.sockets[request["on"]].raw
        refused = []
        for index, frame in enumerate(request["frames"]):
            try:
                raw.send(bytes.fromhex(frame))
            except OSError as error:
                refused.append([index, errno.errorcode.get(error.errno, str(error.errno))])
            if request.get("paced"):
                time.sleep(request["paced"])
        return refused

    def take(self, request):
        taker = self.sockets[request["on"]]
        taker.waiter = Waiter(request["id"], request["count"], request["timeout"], request["quiet"])
        return self.take

    def flow(self, request):
        frames = [bytes.fromhex(frame) for frame in request["frames"]]
        self.sockets[request["on"]].flow = Flow(frames, request["period"])

    def halt(self, request):
        sender = self.sockets[request["on"]]
        flow, sender.flow = sender.flow, None
        return [flow.number, flow.refused] if flow else [0, 0]

    def tally(self, request):
        self.sockets[request["on"]].tally = Tally(request["at"], request["size"])

    def counts(self, request):
        hearer = self.sockets[request["on"]]
        hearer.receive()
        labels = hearer.tally.labels
        if request["clear"]:
            hearer.tally.labels = {}
        return [{label.hex(): entry for label, entry in labels.items()}, hearer.losses()]

    def command(self, line):
        request = json.loads(line)
        if request["call"] not in ("open", "send", "take", "flow", "halt", "tally", "counts"):
            return self.answer(request["id"], error="no such call: " + request["call"])
        try:
            result = getattr(self, request["call"])(request)
        except Exception as error:
            return self.answer(request["id"], error=f"{type(error).__name__}: {error}")
        if result != self.take:
            self.answer(request["id"], result=result)

    def read_commands(self):
        while True:
            try:
                data = os.read(0, 1 << 20)
            except BlockingIOError:
                return
            if not data:
                sys.exit(0)
            self.input += data
            *lines, self.input = self.input.split(b"\n")
            for line in lines:
                self.command(line)

    def turn(self):
        now = time.monotonic()
        due = []
        for one in self.sockets.values():
            if one.flow is not None:
                if one.flow.due <= now:
                    one.flow.send(one.raw)
                due.append(one.flow.due)
            if one.waiter is not None:
                at = one.waiter.due(one.heard)
                if at <= now:
                    heard, one.heard, id = one.heard, collections.deque(), one.waiter.id
                    one.waiter = None
                    self.answer(id, result=[[frame.hex() for frame in heard], one.losses()])
                else:
                    due.append(at)
        timeout = max(0, min(due) - time.monotonic()) if due else None
        for key, _events in self.selector.select(timeout):
            if key.data is None:
                self.read_commands()
            else:
                try:
                    key.data.receive()
                except OSError as error:
                    # The interface is gone or down: what was heard is still there.
                    if error.errno not in (errno.ENETDOWN, errno.ENXIO, errno.ENODEV):
                        raise

    def run(self):
        while True:
            self.turn()


Server().run()
