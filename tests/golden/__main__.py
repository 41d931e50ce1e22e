"""`python -m tests.golden`: keep the bytes of event versions that have no file yet."""

from libs.contract.events import CODEC
from tests.golden.golden import FOLDER, Golden, missing, released, sample


def main() -> None:
    """Write a file for each type with fields that no file has; never touch one that is there."""
    FOLDER.mkdir(exist_ok=True)
    for kind, event in sorted(CODEC.types.items()):
        if missing(event):
            path = FOLDER / f"{kind}.{len(released(kind)) + 1:02}.json"
            Golden.of(sample(event)).dump(path)
            print(path.name)


if __name__ == "__main__":
    main()
