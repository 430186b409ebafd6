#!/usr/bin/env python3
"""A client of docs/rpc.md: rpc-client.py SOCKET VN TSI MAC LINK says hello, attaches, lists and detaches. Needs python3-msgpack."""
import json
import socket
import struct
import sys

import msgpack


class Rpc:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.id = 0

    def read(self, length):
        data = self.socket.recv(length, socket.MSG_WAITALL)
        if len(data) < length:
            raise EOFError("the agent ended the connection")
        return data

    def ask(self, method, **params):
        self.id += 1
        request = msgpack.packb([0, self.id, method, params, 10_000])
        self.socket.sendall(struct.pack(">I", len(request)) + request)
        while True:
            message = msgpack.unpackb(self.read(struct.unpack(">I", self.read(4))[0]))
            if message[0] == 1 and message[1] == self.id:
                if message[2] is not None:
                    sys.exit("error: {message} ({code})\nfix: {hint}".format(**message[2]))
                return message[3]


path, vn, tsi, mac, link = sys.argv[1:]
rpc = Rpc(path)
print(json.dumps(rpc.ask("hello", versions=[1], client="rpc-client.py")))
print(json.dumps(rpc.ask("tsi.attach", vn=vn, tsi=tsi, macs=[mac], link=link)))
print(json.dumps(rpc.ask("tsi.list")["rows"]))  # one page: docs/rpc.md tells how to get the next
print(json.dumps(rpc.ask("tsi.detach", tsi=tsi, link=link)))
