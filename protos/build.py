"""Build Python modules, type stubs and the gateway's descriptor set from the contract.

Everything goes to build/ and nothing of it is committed. The google/{api,rpc,type} protos that
ours import come out of the package googleapis-common-protos; a copy of them in build/googleapis
lets buf see the same files, and build/stubs tells mypy what that package does not.
"""

import shutil
import sys
from pathlib import Path

import google.api.annotations_pb2
import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build/proto"
GOOGLEAPIS = ROOT / "build/googleapis"
IMPORTED = (
    "google/api/annotations.proto",
    "google/api/field_behavior.proto",
    "google/api/http.proto",
    "google/api/resource.proto",
    "google/rpc/error_details.proto",  # the gateway needs it to show error details over REST
    "google/rpc/status.proto",
    "google/type/date.proto",
    "google/type/money.proto",
)


def main() -> int:
    """Build all of it; answer protoc's exit code."""
    packaged = Path(google.api.annotations_pb2.__file__).parents[2]
    for name in IMPORTED:
        target = GOOGLEAPIS / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(packaged / name, target)
    for folder in (OUT, ROOT / "build/stubs"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    ours = sorted(str(path.relative_to(ROOT / "protos")) for path in ROOT.glob("protos/**/*.proto"))
    wellknown = Path(grpc_tools.__file__).parent / "_proto"
    paths = [f"-I{ROOT / 'protos'}", f"-I{GOOGLEAPIS}", f"-I{wellknown}"]
    python = [
        f"--python_out={OUT}",
        f"--grpc_python_out={OUT}",
        f"--mypy_out=quiet:{OUT}",
        f"--mypy_grpc_out=quiet:{OUT}",
    ]
    code = protoc.main(["protoc", *paths, *python, *ours])
    descriptors = [f"--descriptor_set_out={OUT / 'equiloop.binpb'}", "--include_imports"]
    extra = ["google/rpc/error_details.proto", "google/rpc/status.proto"]
    stubs = [f"--mypy_out=quiet:{ROOT / 'build/stubs'}"]
    code = (
        code
        or protoc.main(["protoc", *paths, *descriptors, *ours, *extra])
        or protoc.main(["protoc", *paths, *stubs, *IMPORTED])
    )
    for folder in (ROOT / "build/stubs/google").iterdir():
        (folder / "__init__.pyi").touch()  # mypy's cache loses sight of bare namespaces
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
