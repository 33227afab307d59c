"""Answers for system calls: each call that a filter asks about fails with the errno given.

usage: seccomp_agent.py SOCKET ERRNO; prints "ready", then each state it is sent, a line each.
"""
import fcntl, os, socket, struct, sys, threading

RECEIVE, ANSWER = 0xC0502100, 0xC0182101


def answer(listener, errno):
    while True:
        asked = bytearray(80)
        try:
            fcntl.ioctl(listener, RECEIVE, asked)
            number = struct.unpack_from("Q", asked)[0]
            fcntl.ioctl(listener, ANSWER, struct.pack("QqiI", number, 0, -errno, 0))
        except FileNotFoundError:
            # Nobody is left whom the filter holds.
            os.close(listener)
            return


def main(path, errno):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen()
    print("ready", flush=True)
    while True:
        connection, _ = server.accept()
        state, listeners, _, _ = socket.recv_fds(connection, 65536, 8)
        # One state for each connection, and nothing after it.
        rest = connection.recv(1)
        assert len(listeners) == 1 and rest == b"", (listeners, rest)
        for listener in listeners:
            threading.Thread(target=answer, args=(listener, errno), daemon=True).start()
        print(state.decode(), flush=True)


main(sys.argv[1], int(sys.argv[2]))
