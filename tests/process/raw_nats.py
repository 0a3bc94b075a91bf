"""As much of the NATS protocol as it takes to send a broker anything at all."""
import json
import socket
import ssl


class RawNats:
    """One connection, one thread. Each request has an inbox of its own."""

    def __init__(self, port, seconds=10, ca=None, login=None):
        """With `ca`, over TLS with a server of this certificate; `login` makes the words of CONNECT
        that answer the server's nonce."""
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        self.file = self.socket.makefile("rb", buffering=0)  # what follows may be TLS
        self.info = json.loads(self.file.readline().partition(b" ")[2])
        if ca:
            context = ssl.create_default_context(cafile=str(ca))
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.file = self.socket.makefile("rb")
        self.inboxes = 0
        words = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True,
                 "tls_required": bool(ca)}
        words |= login(self.info.get("nonce")) if login else {}
        self._send(f"CONNECT {json.dumps(words)}\r\n")

    def _send(self, text, *bodies):
        self.socket.sendall(b"".join([text.encode(), *bodies]))

    def subscribe(self, subject):
        self.ask_for(subject)
        self.flush()

    def ask_for(self, subject):
        """As subscribe, without waiting for what the broker thinks of it."""
        self.inboxes += 1
        self._send(f"SUB {subject} {self.inboxes}\r\n")

    def publish(self, subject, body=b"", reply=""):
        """Sends it; what the broker thinks of it shows in the next flush or request."""
        self._send(f"PUB {subject} {reply} {len(body)}\r\n", body, b"\r\n")

    def flush(self):
        """Returns once the broker has read all that was sent. ConnectionError where it objects."""
        self._send("PING\r\n")
        self._next(b"PONG")

    def request(self, subject, body=b"", seconds=None):
        """The first answer's body; empty where nobody listens. socket.timeout without one, after
        `seconds` where they are given: from here on the connection waits no longer for anything."""
        inbox = f"_INBOX.raw.{id(self)}.{self.inboxes + 1}"
        self.subscribe(inbox)
        self._send(f"UNSUB {self.inboxes} 1\r\n")  # after the first answer
        self.publish(subject, body, inbox)
        if seconds is not None:
            self.socket.settimeout(seconds)
        return self.message()[1]

    def message(self):
        """(subject, body) of the next message; headers are left out."""
        line = self._next(b"MSG", b"HMSG").split()
        size = int(line[-1])
        headers = int(line[-2]) if line[0] == b"HMSG" else 0
        body = self.file.read(size + 2)[headers:-2]
        return line[1].decode(), body

    def settle(self):
        """(messages, objections): what came until the broker had read all that was sent. A message
        is (subject, body); an objection is what it does not permit."""
        self._send("PING\r\n")
        messages, objections = [], []
        while True:
            line = self.file.readline()
            if not line:
                raise ConnectionError("the broker closed the connection")
            words = line.split()
            if words[0] == b"PONG":
                return messages, objections
            if words[0] == b"PING":
                self._send("PONG\r\n")
            elif words[0] == b"-ERR":
                objections.append(line.decode().strip())
            elif words[0] in (b"MSG", b"HMSG"):
                body = self.file.read(int(words[-1]) + 2)
                messages.append((words[1].decode(), body[:-2]))

    def _next(self, *kinds):
        while True:
            line = self.file.readline()
            if not line or line.startswith(b"-ERR"):
                raise ConnectionError(line.decode().strip() or "the broker closed the connection")
            if line.strip() == b"PING":
                self._send("PONG\r\n")
            if line.split()[0] in kinds:
                return line.strip()

    def close(self):
        self.file.close()
        self.socket.close()
