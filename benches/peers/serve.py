"""Serves the files of a folder over HTTP on this machine, as fast as the system can: the kernel copies, not this program.

usage: serve.py FOLDER     prints its address, and serves until it is ended
"""

import os
import pathlib
import socket
import sys
import threading


def answer(connection, folder):
    with connection, connection.makefile("rb") as lines:
        request = lines.readline().split()
        while lines.readline().strip():
            pass
        path = folder / pathlib.PurePosixPath(request[1].decode()).name if len(request) > 1 else folder
        if not path.is_file():
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = f'HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: "{size}"\r\nConnection: close\r\n\r\n'
            connection.sendall(head.encode())
            connection.sendfile(file)


def main():
    folder = pathlib.Path(sys.argv[1])
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(f"http://127.0.0.1:{server.getsockname()[1]}", flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=(connection, folder), daemon=True).start()


if __name__ == "__main__":
    main()
