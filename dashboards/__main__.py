"""`python -m dashboards`: writes the JSON of every dashboard into dashboards/rendered."""

import sys

from dashboards import DASHBOARDS, FOLDER, render


def main() -> None:
    """Write the files that changed, and print their names."""
    for stem, build in DASHBOARDS.items():
        file = FOLDER / f"{stem}.json"
        text = render(build())
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{file.name} written\n")


if __name__ == "__main__":
    main()
