"""Stands in for GitHub's token service and for Sigstore's certificate authority, on one loopback port.

GitHub: gives a job the token that names its workflow and tag. Sigstore: gives a certificate of ten minutes to the key
of who shows such a token and can sign with that key. There is no transparency log and no certificate log.

usage: sigstore.py ROOT.pem   (writes the root certificate, prints the port, ends when its standard input is closed)
"""

import base64
import datetime
import hashlib
import hmac
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ISSUER = "https://token.actions.githubusercontent.com"
SECRET = os.urandom(32)
NOW = datetime.datetime.now(datetime.timezone.utc)
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sigstore of these tests")])
ROOT_KEY = ec.generate_private_key(ec.SECP256R1())
# Fulcio's extensions: the issuer as plain bytes, and as a DER UTF8String (oid-info.md of sigstore/fulcio).
ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")


def usage(**on):
    names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{name: on.get(name, False) for name in names})


def certificate(subject, key, minutes):
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(NAME).public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - datetime.timedelta(minutes=5))
            .not_valid_after(NOW + datetime.timedelta(minutes=minutes)))


ROOT = (certificate(NAME, ROOT_KEY.public_key(), 600)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ROOT_KEY.public_key()), critical=False)
        .sign(ROOT_KEY, hashes.SHA256()))


def leaf(identity, key):
    issuer = ISSUER.encode()
    return (certificate(x509.Name([]), key, 60)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]), critical=True)
            .add_extension(usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ROOT_KEY.public_key()), critical=False)
            .add_extension(x509.UnrecognizedExtension(ISSUER_V1, issuer), critical=False)
            .add_extension(x509.UnrecognizedExtension(ISSUER_V2, bytes([0x0C, len(issuer)]) + issuer), critical=False)
            .sign(ROOT_KEY, hashes.SHA256()))


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def seal(text):
    return encode(hmac.new(SECRET, text.encode(), hashlib.sha256).digest())


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM).decode()


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        asked = parse_qs(urlsplit(self.path).query)
        if self.headers.get("Authorization", "").lower() != "bearer request-token-of-the-job":
            return self.answer(401, {"message": "who asks?"})
        reference = asked["workflow"][0]
        claims = {"iss": ISSUER, "aud": asked["audience"][0], "sub": f"repo:acme/base-images:{reference}",
                  "job_workflow_ref": reference, "exp": int(NOW.timestamp()) + 3600}
        signed = ".".join(encode(json.dumps(part).encode()) for part in [{"alg": "HS256", "typ": "JWT"}, claims])
        self.answer(200, {"value": f"{signed}.{seal(signed)}"})

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, seal(signed)):
            return self.answer(401, {"message": "not a token of this issuer"})
        claims = json.loads(decode(signed.split(".")[1]))
        wanted = request["publicKeyRequest"]
        key = serialization.load_pem_public_key(wanted["publicKey"]["content"].encode())
        # Raises when the key is not the asker's own.
        key.verify(base64.b64decode(wanted["proofOfPossession"]), claims["sub"].encode(), ec.ECDSA(hashes.SHA256()))
        issued = leaf(f"https://github.com/{claims['job_workflow_ref']}", key)
        self.answer(200, {"signedCertificateEmbeddedSct": {"chain": {"certificates": [pem(issued), pem(ROOT)]}}})

    def log_message(self, *_):
        pass


with open(sys.argv[1], "w", encoding="ascii") as file:
    file.write(pem(ROOT))
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
os._exit(0)
