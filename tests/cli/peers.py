"""What the program meets in these tests: the embedded target, and ports that are none. All on 127.0.0.1 and ports the system picks."""

import os
import random
import re
import signal
import socket
import subprocess
import threading

NAME = "iqn.2026-11.io.iskra:target"
FILE_LEN = (3 << 20) + 512  # no multiple of the program's 1 MiB requests
RAM_LEN = 1 << 20


class Target:
    """The embedded target in a process of its own, ended on exit."""

    def __init__(self, iskra, options, listen="127.0.0.1:0"):
        self.process = subprocess.Popen([iskra, "target", "--listen", listen] + options,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        match = re.fullmatch(r"listening on (\S+)\n", line)
        if not match:
            self.process.kill()
            raise RuntimeError("target said %r, then %r" % (line, self.process.communicate()))
        self.portal = match.group(1)

    def stop(self, signo=signal.SIGTERM):
        """Returns the exit code and what was said after the first line."""
        if self.process.returncode is None:
            self.process.send_signal(signo)
        try:
            out, err = self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            err += b"(did not end within 10 s)"
        return self.process.returncode, out.decode(), err.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Port:
    """A listening socket that treats its callers as `manner` says: silent, garbage, closes, refused."""

    def __init__(self, manner):
        self.manner = manner
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.portal = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.calls = []
        if manner != "refused":  # bound and not listening is what nobody else can take and nobody answers
            self.socket.listen()
            threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                call, _ = self.socket.accept()
            except OSError:
                return
            self.calls.append(call)
            try:
                if self.manner == "garbage":
                    call.recv(65536)
                    call.sendall(b"SSH-2.0-not_iscsi\r\n" + bytes(range(256)) * 2)
                elif self.manner == "closes":
                    call.recv(65536)
                    call.close()
            except OSError:
                pass


def disk_make(path):
    """Bytes of a fixed seed, returned and written to `path`."""
    data = random.Random(7143).randbytes(FILE_LEN)
    with open(path, "wb") as f:
        f.write(data)
    return data


def children(pid):
    """Live children of a process, zombies not counted."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry))
    return found
