"""A small OpenID Connect provider: real HTTP on the loopback, real RS256 tokens.

`POST /say` tells it what the next tokens are to claim, and how they are to be wrong.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import RSAAlgorithm

KEY = generate_private_key(65537, 2048)
ANOTHER_KEY = generate_private_key(65537, 2048)
CLIENT = ("sales", "provider secret")
said: dict[str, Any] = {}
codes: dict[str, dict[str, str]] = {}


class Provider(BaseHTTPRequestHandler):
    """Its addresses."""

    def do_GET(self) -> None:
        """Discovery, keys, and the visitor who is sent here and back."""
        parts = urlsplit(self.path)
        if parts.path == "/.well-known/openid-configuration":
            self.answer(
                {
                    "issuer": said.get("issuer", self.home),
                    "authorization_endpoint": f"{self.home}/authorize",
                    "token_endpoint": f"{self.home}/token",
                    "jwks_uri": f"{self.home}/keys",
                }
            )
        elif parts.path == "/keys":
            public = json.loads(RSAAlgorithm.to_jwk(KEY.public_key()))
            self.answer({"keys": [{**public, "kid": "first", "use": "sig", "alg": "RS256"}]})
        elif parts.path == "/authorize":
            self.authorize({name: one[0] for name, one in parse_qs(parts.query).items()})
        else:
            self.answer({}, 404)

    def authorize(self, asked: dict[str, str]) -> None:
        """The person agrees at once."""
        code = secrets.token_urlsafe(16)
        codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        self.send_response(302)
        self.send_header("Location", f"{asked['redirect_uri']}?{back}")
        self.end_headers()

    def do_POST(self) -> None:
        """The token for a code, or what is to be said from now on."""
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/say":
            said.clear()
            said.update(json.loads(text))
            self.answer({})
            return
        form = {name: one[0] for name, one in parse_qs(text).items()}
        asked = codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        fits = (
            asked is not None
            and (form["client_id"], form["client_secret"]) == CLIENT
            and form["redirect_uri"] == asked["redirect_uri"]
            and challenge == asked["code_challenge"]
        )
        if asked is None or not fits:
            self.answer({"error": "invalid_grant"}, 400)
            return
        self.answer({"access_token": "x", "token_type": "Bearer", "id_token": self.token(asked)})

    def token(self, asked: dict[str, str]) -> str:
        """A token about somebody."""
        now = int(time.time())
        claims = {
            "iss": self.home,
            "sub": "subject-1",
            "aud": CLIENT[0],
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **said.get("claims", {}),
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        if said.get("unsigned"):
            return jwt.encode(claims, None, "none", headers={"kid": "first"})
        key = ANOTHER_KEY if said.get("forged") else KEY
        return jwt.encode(claims, key, "RS256", headers={"kid": said.get("kid", "first")})

    @property
    def home(self) -> str:
        """Its own address."""
        host, port = self.server.server_address[:2]
        return f"http://{host}:{port}"

    def answer(self, body: Any, status: int = 200) -> None:
        """JSON."""
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
