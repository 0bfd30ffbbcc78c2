"""A terminal for a test: runs a command in a pseudo terminal of its own and does what its input says.

Input:  lines: "int" types Ctrl-C; "close" closes the terminal, as a closed window does; "type TEXT" types a line;
        "keys TEXT" types without the return key.
Output: what the command prints, while the terminal is open.
Exit:   that of the command; 128 and the signal's number when a signal ended it.
"""
import os
import pty
import select
import sys

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])

sources = [terminal, 0]
while terminal in sources:
    ready = select.select(sources, [], [])[0]
    if 0 in ready:
        text = os.read(0, 1000)
        for line in text.splitlines():
            if line == b"int":
                os.write(terminal, b"\x03")
            if line.startswith(b"type "):
                os.write(terminal, line[5:] + b"\r")
            if line.startswith(b"keys "):
                os.write(terminal, line[5:])
        if text == b"" or b"close\n" in text:
            sources.remove(0)
        if b"close\n" in text:
            sources.remove(terminal)
            os.close(terminal)
            continue
    if terminal in ready:
        try:
            text = os.read(terminal, 65536)
        except OSError:  # EIO: nobody has the other side open
            text = b""
        if text == b"":
            sources.remove(terminal)
        else:
            os.write(1, text)
_, status = os.waitpid(pid, 0)
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
