"""Who may import whom: a room sees only rooms that stand before it."""

import ast
from pathlib import Path

import ctsk

ROOT = Path(ctsk.__file__).parent
LAYERS = [
    "_version", "exceptions", "_torch", "_columns", "_closed_form", "generators", "_training",
    "_explaining", "_storing", "_exporting", "_classifier", "_persistence", "_explain",
    "_sufficient_changes", "_onnx", "metrics", "model_selection", "plotting",
]  # fmt: skip
# A method that plots may name the display that it leads to, within its body: displays import
# explanations when ctsk is imported, and explanations displays only when one is plotted.
PLOTS = {("_explaining/explanation.py", "ctsk.plotting.RecourseDisplay")}
SKORCH = {"_training/net.py", "_training/callbacks.py", "_explaining/foreign_models.py"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def may_import(path, name):
    if (str(path), name) in PLOTS:
        return True
    room, (library, *parts) = path.parts[0].removesuffix(".py"), name.split(".")
    if library == "sklearn" and any(part.startswith("_") for part in parts):
        return room == "datasets" or str(path) == "_columns/validation.py"
    if library != "ctsk":
        return library != "skorch" or str(path) in SKORCH
    if room == "datasets" or parts[0] == room:
        return parts[0] == room
    return parts[0] in LAYERS[: LAYERS.index(room)]


def test_rooms_import_only_rooms_that_stand_before_them():
    paths = [path.relative_to(ROOT) for path in ROOT.rglob("*.py")]
    forbidden = [
        f"{path} imports {name}"
        for path in paths
        for name in imported(ROOT / path)
        if path.name != "__init__.py" or len(path.parts) > 1
        if not may_import(path, name)
    ]
    assert forbidden == []
