# SPDX-License-Identifier: MIT
# hear.py SOCKET: what comes at a datagram socket, one line per datagram, until STOPPING=1 or a minute
# of silence. It is the other end of sd_notify and of the journal's own protocol.
import socket
import sys

s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(60)
while True:
    try:
        text = s.recv(65536).decode()
    except socket.timeout:
        break
    print(text.rstrip("\n").replace("\n", " | "), flush=True)
    if "STOPPING=1" in text:
        break
