"""Fetches the demo's data out of the packages that carry it: `python -m deploy.demo.data`.

The CDNOW purchases come in the wheel of `lifetimes` 0.11.3 (MIT), the review sentences with their
human ratings in the source distribution of `vaderSentiment` 3.3.2 (MIT). Neither package is
installed: pip downloads them, three files are taken out, and their hashes are compared.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

DATA = Path("build/data")
_REVIEWS = "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt"

Files = dict[str, bytes]


def _from_wheel(package: Path) -> Files:
    with zipfile.ZipFile(package) as wheel:
        names = ("CDNOW_sample.txt", "CDNOW_master.txt")
        return {name: wheel.read(f"lifetimes/datasets/{name}") for name in names}


def _from_source(package: Path) -> Files:
    inner = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
    with tarfile.open(package) as outer:
        packed = _member(outer, inner)
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        return {Path(_REVIEWS).name: _member(archive, _REVIEWS)}


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        message = f"{name} is not a file"
        raise KeyError(message)
    return file.read()


SOURCES: list[tuple[str, list[str], Callable[[Path], Files]]] = [
    ("lifetimes==0.11.3", ["--only-binary", ":all:"], _from_wheel),
    ("vaderSentiment==3.3.2", ["--no-binary", "vaderSentiment"], _from_source),
]

HASHES = {
    # SHA-256 of each file
    "CDNOW_sample.txt": "6fae10155c0b0ba363c2c386e30f77990d22328220efd862a5edd1443420d94a",
    "CDNOW_master.txt": "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef",
    Path(_REVIEWS).name: "11a9807a0974a2506a2d3b4851eaf69b3d6d20688ce4923adda2312a4f6dd6c2",
}


def fetch(requirement: str, options: list[str], take: Callable[[Path], Files]) -> Files:
    """Download one package and take its files out; exit with one line when that fails."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
        command += ["--disable-pip-version-check", "-d", folder, *options, requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        packages = list(Path(folder).iterdir())
        if done.returncode or len(packages) != 1:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            sys.exit(f"data: pip could not download {requirement}: {last}")
        return take(packages[0])


def main() -> None:
    """Put all files into build/data."""
    DATA.mkdir(parents=True, exist_ok=True)
    for requirement, options, take in SOURCES:
        for name, content in fetch(requirement, options, take).items():
            found = hashlib.sha256(content).hexdigest()
            if found != HASHES[name]:
                sys.exit(f"data: {name} from {requirement} is not the file we know: {found}")
            (DATA / name).write_bytes(content)
            print(f"data: {DATA / name} from {requirement}")


if __name__ == "__main__":
    main()
