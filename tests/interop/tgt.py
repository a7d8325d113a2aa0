"""tgt on a free port of 127.0.0.1, with its own control socket and backing file; ended by its pid."""

import os
import shutil
import socket
import subprocess
import tempfile
import time


def missing():
    """Why tgt cannot be used here, or None."""
    for name in ("tgtd", "tgtadm"):
        if not which(name):
            return name + " is not installed"
    return None


def which(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Tgt:
    """A target with one LUN (number 1; tgt's LUN 0 is its controller) on `size` bytes of `content(f)`.

    accounts: up to two of (user, password); the first is asked of initiators, the second is the target's own."""

    def __init__(self, iqn, size, content, block_size=512, accounts=()):
        self.iqn = iqn
        self.block_size = block_size
        self.dir = tempfile.mkdtemp(prefix="iskra-tgt-")
        self.file = os.path.join(self.dir, "disk")
        with open(self.file, "wb") as f:
            content(f)
            f.truncate(size)
        self.accounts = accounts
        self.process = None
        self.env = dict(os.environ, TGT_IPC_SOCKET=os.path.join(self.dir, "socket"))

    def __enter__(self):
        for attempt in range(5):
            self.port = free_port()
            self.control = str(self.port % 30000)
            self.process = subprocess.Popen(
                [which("tgtd"), "-f", "-C", self.control, "--iscsi", "portal=127.0.0.1:%d" % self.port],
                env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self.wait_ready():
                break
            self.stop()
        else:
            raise RuntimeError("tgtd does not come up")
        self.admin("--op", "new", "--mode", "target", "--tid", "1", "-T", self.iqn)
        for key in ("HeaderDigest", "DataDigest"):
            # What it agrees to when both are offered, or only this one.
            self.admin("--op", "update", "--mode", "target", "--tid", "1", "--name", key, "--value", "CRC32C,None")
        self.admin("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b", self.file,
                   "--blocksize", str(self.block_size))
        self.admin("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")
        for (user, password), way in zip(self.accounts, ([], ["--outgoing"])):
            self.admin("--op", "new", "--mode", "account", "--user", user, "--password", password)
            self.admin("--op", "bind", "--mode", "account", "--tid", "1", "--user", user, *way)
        return self

    def __exit__(self, *unused):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def wait_ready(self):
        limit = time.monotonic() + 10
        while time.monotonic() < limit and self.process.poll() is None:
            done = subprocess.run([which("tgtadm"), "-C", self.control, "--op", "show", "--mode", "system"],
                                  env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if done.returncode == 0:
                try:
                    socket.create_connection(("127.0.0.1", self.port), 1).close()
                    return True
                except OSError:
                    pass
            time.sleep(0.02)
        return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def admin(self, *args):
        done = subprocess.run([which("tgtadm"), "-C", self.control, "--lld", "iscsi"] + list(args), env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise RuntimeError("tgtadm %s: %s" % (" ".join(args), done.stdout.decode().strip()))

    @property
    def portal(self):
        return "127.0.0.1:%d" % self.port

    def url(self, lun=1, options=""):
        return "iscsi://%s/%s/%d%s" % (self.portal, self.iqn, lun, "?" + options if options else "")
