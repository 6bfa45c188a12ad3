"""A language model on this machine, for documents that ask one: OpenAI's API with the rules of ../fake_llm.py.

Put it in front of a command. It tells the command by OPENAI_BASE_URL and OPENAI_API_KEY where to ask:

    python examples/workflows/offline_llm.py pocketflow-otel run examples/workflows/sum_up_files.yaml
"""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fake_llm import MODEL, respond


class ChatCompletions(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer goes in one piece: the second of two would wait for the first to be acknowledged

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions" or request.get("stream"):
            self.answer(400, {"error": {"message": "there is /v1/chat/completions here, without streams"}})
        elif request["model"] != MODEL:
            self.answer(404, {"error": {"message": f"the model {request['model']!r} does not exist; {MODEL} does"}})
        else:
            self.answer(200, respond(request["messages"][-1]["content"]))

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Says nothing: the terminal is the command's."""


def main() -> int:
    if not sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    server = ThreadingHTTPServer(("127.0.0.1", 0), ChatCompletions)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/v1"
    environ = os.environ | {"OPENAI_BASE_URL": address, "OPENAI_API_KEY": "not needed"}
    command = subprocess.Popen(sys.argv[1:], env=environ)  # noqa: S603 - the user's own
    while True:
        try:
            return command.wait()
        except KeyboardInterrupt:
            pass  # the terminal has told the command too, which ends in its own way


if __name__ == "__main__":
    sys.exit(main())
