"""Compares the contract with each of its versions since it was declared stable, by `buf breaking`.

A version is a commit that touched protos/ after the one that added protos/STABLE. Events are kept
for ever, so it is not enough to compare with the last.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUF = str(Path(sys.executable).with_name("buf"))


def _run(*command: str, cwd: Path = ROOT, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, cwd=cwd, input=data, capture_output=True, check=False)


def versions(root: Path = ROOT) -> list[str]:
    """Answer the commits whose contract must still be understood, the oldest first."""
    added = _run("git", "log", "--format=%H", "--diff-filter=A", "--", "protos/STABLE", cwd=root)
    commits = added.stdout.decode().split()
    if not commits:
        return []
    first = commits[-1]
    later = _run("git", "log", "--format=%H", f"{first}..HEAD", "--", "protos/*.proto", cwd=root)
    return [first, *reversed(later.stdout.decode().split())]


def image(folder: Path, into: Path) -> subprocess.CompletedProcess[bytes]:
    """Compile the contract in ``folder`` into one file."""
    return _run(BUF, "build", str(folder), "-o", str(into))


def breaks(new: Path, commit: str, root: Path, scratch: Path) -> str:
    """Answer what the image ``new`` breaks of the contract at ``commit``; empty: nothing."""
    packed = _run("git", "archive", commit, "buf.yaml", "protos", cwd=root)
    old = scratch / commit
    (old / "build").mkdir(parents=True)
    _run("tar", "-x", "-C", str(old), data=packed.stdout)
    (old / "build/googleapis").symlink_to(ROOT / "build/googleapis")
    was = scratch / f"{commit}.binpb"
    for done in (image(old, was), _run(BUF, "breaking", str(new), "--against", str(was))):
        if done.returncode:
            return (done.stdout + done.stderr).decode()
    return ""


def main(root: Path = ROOT) -> int:
    """Answer 0 if every earlier contract is still understood."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        new = scratch / "now.binpb"
        built = image(root, new)
        if built.returncode:
            print(built.stderr.decode(), file=sys.stderr)
            return 1
        found = versions(root)
        for commit in found:
            broken = breaks(new, commit, root, scratch)
            if broken:
                print(f"the contract of {commit[:9]} is broken:\n{broken}", file=sys.stderr)
                return 1
    print(f"contract: compatible with {len(found)} earlier versions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
