"""What is kept belongs to the code that it came from."""

import kept


def test_a_store_is_another_one_once_a_module_has_changed(tmp_path):
    module = tmp_path / "module.py"
    module.write_text("N = 1")
    before = kept._store("some", [module]).location
    assert kept._store("some", [module]).location == before
    module.write_text("N = 2")
    assert kept._store("some", [module]).location != before
