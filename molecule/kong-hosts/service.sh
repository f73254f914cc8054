#!/bin/sh
# What stands behind the gateways: it answers at once, or after as many seconds as the path says.
set -eu
cat >/usr/local/bin/demo-service <<'END'
#!/usr/bin/python3
import http.server
import time


class Demo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        last = self.path.rpartition("/")[2]
        time.sleep(float(last) if last.replace(".", "").isdigit() else 0)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"demo\n")

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", 9000), Demo).serve_forever()
END
chmod 755 /usr/local/bin/demo-service
cat >/etc/systemd/system/demo.service <<END
[Service]
ExecStart=/usr/local/bin/demo-service
[Install]
WantedBy=multi-user.target
END
systemctl enable --now demo.service
