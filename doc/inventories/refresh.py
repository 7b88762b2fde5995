"""Update the stored inventory of another project.

An inventory says on which page of a project a name is documented. The stored ones are plain text
and contain only the names that this documentation links. The command keeps these names, looks up
their pages in the project's own inventory, and adds further names::

    python doc/inventories/refresh.py sklearn objects.inv sklearn.pipeline.Pipeline

where ``objects.inv`` is the project's inventory, which lies next to the start page of its
documentation.
"""

import argparse
from pathlib import Path

from sphinx.util.inventory import InventoryFile

FOLDER = Path(__file__).parent
HEADER = "# Sphinx inventory version 1\n# Project: {}\n# Version: stable"


def stored_names(file):
    """Return the names in a stored inventory, or an empty set if there is none yet."""
    lines = file.read_text().splitlines() if file.exists() else []
    return {line.split()[0] for line in lines if not line.startswith("#")}


def found_pages(inventory, names):
    """Return a line of the stored inventory for each name.

    Parameters
    ----------
    inventory : bytes
        Content of the project's inventory.
    names : iterable of str

    Returns
    -------
    lines : list of str

    Raises
    ------
    ValueError
        If the project's inventory lacks some names.
    """
    lines = {}
    for kind, items in InventoryFile.loads(inventory, uri="").data.items():
        domain, kind = kind.split(":")
        if domain != "py":
            continue
        for name in items.keys() & set(names):
            # The format adds the anchor, which is the name, to the page.
            page = items[name].uri.partition("#")[0]
            lines[name] = f"{name} {'mod' if kind == 'module' else kind} {page}"
    missing = sorted(set(names) - lines.keys())
    if missing:
        raise ValueError(f"The inventory lacks {', '.join(missing[:10])}.")
    return [lines[name] for name in sorted(lines)]


def main():
    """Rewrite the stored inventory of one project."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project")
    parser.add_argument("inventory", type=Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    file = FOLDER / f"{options.project}.inv"
    names = stored_names(file) | set(options.names)
    lines = found_pages(options.inventory.read_bytes(), names)
    file.write_text("\n".join([HEADER.format(options.project), *lines, ""]))


if __name__ == "__main__":
    main()
