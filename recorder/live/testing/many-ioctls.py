"""Issues ioctls of many numbers on many kinds of files, from threads and children, and says what it passed and what it got.

One JSON object a line on stdout: pid, tid, fd, request, address, bytes before and after as hexadecimal text, result, errno,
and what a pointer in the struct points to. Usage: many-ioctls.py ROUNDS [THREADS] [CHILDREN]
"""
import ctypes
import json
import os
import random
import socket
import struct
import sys
import threading

libc = ctypes.CDLL(None, use_errno=True)
libc.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p]
lock = threading.Lock()

# Offset of the pointer, and what says how long its memory is.
POINTERS = {0x82: (16, 8, 16), 0x89: (32, 28, 1), 0x8D: (8, 20, 0)}


def issue(fd, request, buffer, note=None):
    address = ctypes.addressof(buffer)
    before = bytes(buffer)
    ctypes.set_errno(0)
    result = libc.ioctl(fd, request, address)
    error = ctypes.get_errno() if result < 0 else 0
    line = {
        "pid": os.getpid(), "tid": threading.get_native_id(), "fd": fd, "request": request, "address": address,
        "before": before.hex(), "after": bytes(buffer).hex(), "ret": result, "errno": error,
    }
    if note:
        line.update(note)
    with lock:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def rounds(count, seed):
    chance = random.Random(seed)
    files = [os.open("/dev/null", os.O_RDWR), socket.socketpair()[0].detach(), os.pipe()[0], os.openpty()[1],
             os.memfd_create("m"), os.open("/dev/zero", os.O_RDWR)]
    for i in range(count):
        nr = chance.choice(list(range(0x80, 0x95)) + [0x71, 0x72, 0xA0])
        size = chance.choice([8, 12, 16, 24, 32, 40, 48, 64, 68, 72, 128, 200, 256, 1000, 4096])
        note = None
        body = bytearray(chance.randbytes(size))
        struct.pack_into("<I", body, 0, size)
        if nr in POINTERS and size >= 48:
            at, length_at, unit = POINTERS[nr]
            memory = ctypes.create_string_buffer(chance.randbytes(chance.choice([1, 40, 600, 5000, 70000])))
            length = len(memory) - 1
            struct.pack_into("<Q", body, at, ctypes.addressof(memory))
            if nr == 0x8D:
                struct.pack_into("<II", body, length_at, 1, length)
            else:
                length -= length % unit
                struct.pack_into("<I", body, length_at, length // unit)
            note = {"pointed": memory.raw[:length].hex(), "pointer": ctypes.addressof(memory)}
        buffer = (ctypes.c_ubyte * size).from_buffer(body)
        issue(chance.choice(files), 0x3B00 | nr, buffer, note)


def answered():
    """Calls whose driver writes into the struct: entropy count (type 0x52), userfaultfd's handshake (0xaa)."""
    fd = os.open("/dev/urandom", os.O_RDONLY)
    issue(fd, 0x80045200, (ctypes.c_ubyte * 4).from_buffer(bytearray(b"\xee" * 4)))
    fault = libc.syscall(323, os.O_CLOEXEC)
    if fault >= 0:
        issue(fault, 0xC018AA3F, (ctypes.c_ubyte * 24).from_buffer(bytearray(struct.pack("<QQQ", 0xAA, 0, 7))))


count = int(sys.argv[1])
threads = [threading.Thread(target=rounds, args=(count, i + 1)) for i in range(int(sys.argv[2]) if len(sys.argv) > 2 else 1)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for child in range(int(sys.argv[3]) if len(sys.argv) > 3 else 0):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        rounds(count, 1000 + child)
        os._exit(0)
    os.waitpid(pid, 0)
answered()
