import stat

import pytest

from models import data_dir


def test_a_file_is_made_once_and_then_kept(tmp_path):
    path = tmp_path / "new" / "word"
    assert data_dir.kept_once(path, lambda: "first") == "first"
    assert data_dir.kept_once(path, lambda: "second") == "first"
    assert list(path.parent.iterdir()) == [path]


def test_the_first_of_two_starts_wins_though_both_found_nothing(tmp_path):
    path = tmp_path / "word"

    def made_while_another_start_was_faster():
        path.write_text("the other's")
        return "mine"

    assert data_dir.kept_once(path, made_while_another_start_was_faster) == "the other's"
    assert list(tmp_path.iterdir()) == [path]


def test_what_we_make_is_closed_to_others(tmp_path):
    path = tmp_path / "new" / "word"
    data_dir.kept_once(path, lambda: "text")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not data_dir.open_to_others(path)
    path.chmod(0o640)
    assert data_dir.open_to_others(path)


def test_a_file_in_the_directory_s_place_is_an_error(tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(FileExistsError):
        data_dir.made(tmp_path / "data")


def test_an_empty_directory_that_was_prepared_is_closed_to_others(tmp_path):
    (tmp_path / "data").mkdir(0o755)
    assert stat.S_IMODE(data_dir.made(tmp_path / "data").stat().st_mode) == 0o700


def test_a_directory_with_files_of_others_keeps_its_mode(tmp_path):
    (tmp_path / "data").mkdir(0o755)
    (tmp_path / "data" / "theirs").touch()
    (tmp_path / "data").chmod(0o755)
    assert stat.S_IMODE(data_dir.made(tmp_path / "data").stat().st_mode) == 0o755
