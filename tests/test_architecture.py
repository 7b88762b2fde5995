"""Who may import whom, as one table."""

import ast
import sys
from pathlib import Path

import ctsk

ROOT = Path(ctsk.__file__).parent
LEAVES = {"_energy", "_groups", "_constraints", "_modules", "_threads", "exceptions"}
SPACE = LEAVES | {"_schema", "_feature_space", "_specification"}
NET = LEAVES | {"_sampling", "_objective"}
# room: rooms of ctsk that it may import
ALLOWED = {
    **dict.fromkeys(LEAVES, set()),
    "_constraints": {"_groups"},
    "_modules": {"_groups"},
    "generators": LEAVES | {"generators"},
    "metrics": {"metrics", "generators", "_constraints", "_energy", "_modules"}
    | {"_sampling", "_specification", "_threads", "_validation"},
    "model_selection": {"model_selection"},
    "plotting": {"plotting", "model_selection"},
    "datasets": {"datasets"},
    "_sampling": LEAVES,
    "_objective": LEAVES,
    "_schema": set(),
    "_feature_space": LEAVES | {"_schema"},
    "_specification": LEAVES | {"_schema"},
    "_validation": SPACE,
    "_explanation": {"_feature_space", "_schema"},
    "_inference": SPACE,
    "_sparsity": set(),
    "_reasons": {"generators"},
    "_chunk_search": LEAVES | {"_reasons", "_sparsity"},
    "_row_search": SPACE
    | {"generators", "_explanation", "_inference", "_reasons", "_chunk_search"},
    "_net": NET,
    "_explaining": SPACE | {"generators", "_inference", "_validation", "_row_search"},
    "_training": NET | {"_net", "_validation", "generators"},
    "_trace": {"_schema"},
    "_pipeline": SPACE | {"_trace", "_validation"},
    "_torch_model": SPACE | {"_validation", "_inference", "_row_search"},
    "_classifier": SPACE
    | {"generators", "_validation", "_inference", "_row_search", "_explaining", "_training"},
    "_explain": {"_classifier", "_explaining", "_pipeline", "_torch_model"}
    | {"_specification", "_validation", "exceptions", "generators"},
}


THIRD_PARTY = {
    **dict.fromkeys(LEAVES, {"numpy", "torch"}),
    "generators": {"torch", "sklearn"},
    "metrics": {"numpy", "sklearn", "torch"},
    "model_selection": {"numpy", "pandas"},
    "plotting": {"matplotlib", "pandas"},
    "datasets": {"numpy", "scipy", "sklearn", "pandas"},
    "_schema": {"numpy", "pandas"},
    "_specification": {"numpy"},
    "_trace": {"numpy", "sklearn", "pandas"},
    "_sampling": {"numpy", "torch", "sklearn"},
    "_sparsity": {"numpy"},
    "_objective": {"torch"},
    "_net": {"torch", "skorch"},
}


def imported(path):
    """Names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "ctsk":
            yield from (f"ctsk.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def files():
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if room != "__init__":
            yield path, room


def test_rooms_import_only_what_the_table_allows():
    forbidden = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, room in files()
        for name in imported(path)
        if name.startswith("ctsk.") and name.split(".")[1] not in ALLOWED[room]
    ]
    assert forbidden == []


def test_libraries_are_known_to_the_rooms_that_may_know_them():
    forbidden = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, room in files()
        for name in (whole.split(".")[0] for whole in imported(path))
        if name != "ctsk" and name not in sys.stdlib_module_names
        if name not in THIRD_PARTY.get(room, {name} - {"skorch"})
    ]
    assert forbidden == []
