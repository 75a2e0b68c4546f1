"""Case folders as zip files: what is packed comes back, and what strangers pack does no harm."""

from __future__ import annotations

import hashlib
import io
import shutil
import stat
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from models.posterior import Diagnostic, SubModel, posterior_of
from scenarios import case_archive
from scenarios.case_archive import archive, unpacked
from scenarios.case_folder import new_case
from scenarios.files import load
from scenarios.interview import store
from scenarios.interview.answers import Answers
from scenarios.posterior_file import configuration_hash, evidence_hashes, require_readable, write_posterior
from scenarios.problems import CaseError, Problem
from scenarios.stale_fit import opened as opened_by_pages
from scenarios.uploads import stored
from scenarios.version import package_version

CSV = b"type,right,tried\npo,92,100\n"


@pytest.fixture(scope="module")
def case_text(tmp_path_factory) -> str:
    folder = new_case(tmp_path_factory.mktemp("made") / "mine", "travel_declarations")
    return (folder / "case.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made_once(tmp_path_factory, case_text) -> Path:
    """A case folder with an interview, evidence, a kept run and what systems leave behind."""
    made = tmp_path_factory.mktemp("once") / "mine"
    for part in ("evidence", "runs"):
        (made / part).mkdir(parents=True)
    (made / "case.toml").write_text(case_text, encoding="utf-8")
    (made / "README.md").write_text("# Mine\n", encoding="utf-8")
    store.interviewed(made, Answers.of({"owner": "=1+1 *me*", "pilot": {"accuracy": "93 %"}}))
    (made / "evidence" / "pilot.csv").write_bytes(CSV)
    (made / "evidence" / ".pilot.csv.swp").write_bytes(b"x")
    (made / "runs" / "kept.bin").write_bytes(b"x")
    (made / ".DS_Store").write_bytes(b"x")
    return made


@pytest.fixture
def folder(tmp_path, made_once) -> Path:
    return Path(shutil.copytree(made_once, tmp_path / "mine"))


def zipped(files: dict[str, bytes | str], top: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(f"{top}{name}", content)
    return out.getvalue()


def refused(data: bytes, tmp_path: Path) -> CaseError:
    """Opens it, which must fail with a plain problem and leave nothing behind."""
    place = tmp_path / "opened" / "case"
    place.parent.mkdir(exist_ok=True)
    with pytest.raises(CaseError) as caught:
        unpacked(data, place, "my.zip")
    assert not list(place.parent.iterdir())
    assert str(tmp_path) not in str(caught.value)
    return caught.value


def opened(data: bytes, tmp_path: Path) -> Path:
    place = tmp_path / "opened"
    unpacked(data, place)
    return place


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# -- back and forth


def test_what_is_packed_comes_back(folder, tmp_path):
    again = opened(archive(folder), tmp_path)

    assert names(again) == ["README.md", "before_interview.toml", "case.toml", "evidence/pilot.csv", "interview.toml"]
    assert load(str(again)).hash == load(str(folder)).hash
    assert all((again / name).read_bytes() == (folder / name).read_bytes() for name in names(again))
    assert (again / "runs").is_dir()
    assert store.saved_answers(again).owner == "=1+1 *me*"
    assert not store.start_of(again).by_hand


def fitted(folder: Path, version: str) -> None:
    """Something learned from the folder's evidence by some version of the program."""
    case = load(str(folder)).case
    known = {"version": version, "configuration": configuration_hash(case), "evidence": evidence_hashes(folder)}
    values = {"steps.recheck.catch": np.linspace(0.7, 0.9, 400)}
    model = SubModel(
        "review", values, values, values["steps.recheck.catch"], (Diagnostic("draws", 4_000.0, "at least 400", True),)
    )
    write_posterior(folder / "posterior.nc", posterior_of((model,), known))


def test_what_was_fitted_comes_back(folder, tmp_path):
    fitted(folder, package_version())
    again = opened(archive(folder), tmp_path)

    assert load(str(again)).case.posterior is not None
    assert load(str(again)).hash == load(str(folder)).hash


def test_a_fit_of_an_earlier_version_does_not_keep_a_case_from_being_opened(folder, tmp_path):
    """Its evidence is there, to be learned from again; until then no answer rests on it."""
    fitted(folder, "0.0.1")
    found = opened_by_pages(str(opened(archive(folder), tmp_path)))
    assert found.case.posterior is None
    assert found.unfitted == tuple(file.name for file in stored(folder)) != ()


def test_the_same_folder_gives_the_same_bytes(folder, tmp_path):
    first = archive(folder)
    (folder / "case.toml").touch()
    again = opened(first, tmp_path)

    assert archive(folder) == first == archive(again)


def test_a_folder_packed_by_hand_is_opened(case_text, tmp_path):
    extra = {"runs/a/manifest.json": "{}", ".DS_Store": b"x", "evidence/.pilot.csv.swp": b"x", "evidence/pilot.csv": CSV}
    data = zipped({"case.toml": case_text, **extra}, "My case Köln/")
    data = with_more(data, {"__MACOSX/My case Köln/._case.toml": b"x"})

    assert names(opened(data, tmp_path)) == ["case.toml", "evidence/pilot.csv"]


def with_more(data: bytes, files: dict[str, bytes]) -> bytes:
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return out.getvalue()


def test_links_in_a_folder_are_not_packed(folder, tmp_path):
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (folder / "evidence" / "arrivals.csv").symlink_to(tmp_path / "secret")

    assert b"arrivals" not in archive(folder)


# -- strangers


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all" * 10, b"PK\x05\x06" + bytes(18), b"PK\x05\x06\0\0"])
def test_what_is_no_zip_is_refused(data, tmp_path):
    assert "no zip" in str(refused(data, tmp_path)) or "no case.toml" in str(refused(data, tmp_path))


def test_a_damaged_zip_is_refused(case_text, tmp_path):
    data = bytearray(zipped({"case.toml": case_text}))
    data[100:140] = bytes(40)

    assert "damaged" in str(refused(bytes(data), tmp_path))
    assert refused(bytes(data[: len(data) // 2]), tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/etc/passwd", "outside"),
        ("../case.toml", "outside"),
        ("evidence/../../x.csv", "outside"),
        ("evidence\\..\\..\\x.csv", "outside"),
        ("C:x.csv", "no name"),
        ("evidence/a\nb.csv", "no name"),
        (f"evidence/{'x' * 200}.csv", "no name"),
        ("evidence/deep/pilot.csv", "does not belong"),
        ("other.toml", "does not belong"),
        ("posterior.nc/x", "does not belong"),
    ],
)
def test_names_that_do_not_belong_to_a_case_folder_are_refused(name, message, case_text, tmp_path):
    assert message in str(refused(zipped({"case.toml": case_text, name: b"x"}), tmp_path))


def test_all_dangerous_names_are_told_at_once(case_text, tmp_path):
    assert len(refused(zipped({"case.toml": case_text, "../a": b"x", "/b": b"x"}), tmp_path).problems) == 2


def test_links_are_refused(case_text, tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("case.toml", case_text)
        link = zipfile.ZipInfo("evidence/pilot.csv")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")

    assert "link" in str(refused(out.getvalue(), tmp_path))


def test_encrypted_files_are_refused(case_text, tmp_path):
    data = bytearray(zipped({"case.toml": case_text}))
    data[data.index(b"PK\x01\x02") + 8] |= 1

    assert "encrypted" in str(refused(bytes(data), tmp_path))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_refused(method, case_text, tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        packed.writestr("case.toml", case_text)

    assert "unusual" in str(refused(out.getvalue(), tmp_path))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["case.toml", "evidence/pilot.csv", "evidence/PILOT.csv"])
def test_two_files_of_one_name_are_refused(second, case_text, tmp_path):
    data = with_more(zipped({"case.toml": case_text, "evidence/pilot.csv": CSV}), {second: b"x"})

    assert "twice" in str(refused(data, tmp_path))


def test_an_archive_without_a_case_is_refused(tmp_path):
    assert "no case.toml" in str(refused(zipped({"README.md": "x"}), tmp_path))
    assert "no case.toml" in str(refused(zipped({}), tmp_path))


def test_too_many_files_are_refused(case_text, tmp_path):
    many = {f"evidence/{i}.csv": b"x" for i in range(case_archive.MAX_FILES)}

    assert "more than 500" in str(refused(zipped({"case.toml": case_text, **many}), tmp_path))


def test_a_directory_of_millions_is_refused_before_it_is_read(case_text, tmp_path, monkeypatch):
    data = bytearray(zipped({"case.toml": case_text}))
    struct.pack_into("<L", data, len(data) - 22 + 12, 1 << 30)
    monkeypatch.setattr(zipfile, "ZipFile", None)

    assert "more than 500" in str(refused(bytes(data), tmp_path))


def test_bombs_are_refused_by_what_they_declare(case_text, tmp_path, monkeypatch):
    monkeypatch.setattr(case_archive, "MAX_BYTES", 1_000_000)
    monkeypatch.setattr(case_archive, "_write", None)

    assert "far more" in str(refused(zipped({"case.toml": case_text, "evidence/pilot.csv": bytes(1_000_001)}), tmp_path))


def test_bombs_are_refused_by_their_ratio(case_text, tmp_path, monkeypatch):
    monkeypatch.setattr(case_archive, "FREE_BYTES", 500_000)

    assert "far more" in str(refused(zipped({"case.toml": case_text, "evidence/pilot.csv": bytes(2_000_000)}), tmp_path))


def test_bombs_that_lie_about_their_size_are_refused(case_text, tmp_path):
    data = bytearray(zipped({"case.toml": case_text, "evidence/pilot.csv": bytes(5_000_000)}))
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<L", data, at + 24, 10)

    assert "damaged" in str(refused(bytes(data), tmp_path))


def test_what_is_unpacked_is_counted_whatever_is_declared(case_text, tmp_path, monkeypatch):
    monkeypatch.setattr(case_archive, "MAX_BYTES", 1_000_000)
    monkeypatch.setattr(case_archive, "_members", lambda found, file: {m.filename: m for m in found})

    assert "far more" in str(refused(zipped({"case.toml": case_text, "evidence/pilot.csv": bytes(2_000_000)}), tmp_path))


@pytest.mark.parametrize("where", ["case.toml", "before_interview.toml"])
@pytest.mark.parametrize(
    "parent", ["{secret}", "../secret.toml", "evidence/pilot.toml", "invoice_processing.toml", "no_such", "."]
)
def test_a_case_of_strangers_extends_no_file_of_this_computer(where, parent, case_text, tmp_path):
    secret = tmp_path / "secret.toml"
    secret.write_text(case_text, encoding="utf-8")
    text = f'schema_version = 1\nname = "x"\ntitle = "X"\nextends = "{parent.format(secret=secret)}"\n'
    (tmp_path / "opened").mkdir()
    (tmp_path / "opened" / "secret.toml").write_text(case_text, encoding="utf-8")
    place = tmp_path / "opened" / "case"
    with pytest.raises(CaseError, match="extends another file"):
        unpacked(zipped({"evidence/pilot.toml": case_text, "case.toml": case_text, where: text} if where != "case.toml" else
                        {"evidence/pilot.toml": case_text, where: text}), place)  # fmt: skip
    assert not place.exists()


def test_a_case_of_strangers_may_extend_a_shipped_scenario(tmp_path):
    text = 'schema_version = 1\nname = "x"\ntitle = "X"\nextends = "travel_declarations"\n'

    assert load(str(opened(zipped({"case.toml": text}), tmp_path))).case.title == "X"


def test_extends_that_is_no_text_is_refused(tmp_path):
    assert "extends" in str(refused(zipped({"case.toml": "extends = [1]"}), tmp_path))


@pytest.mark.parametrize("text", ["nonsense", "schema_version = 1", "\0", b"\xff\xfe", "x = " + "[" * 500 + "]" * 500])
def test_problems_of_the_case_are_told(text, tmp_path):
    error = refused(zipped({"case.toml": text}), tmp_path)

    assert error.file in ("case.toml", "my.zip")


def test_a_case_of_many_megabytes_is_refused(tmp_path):
    assert "larger than" in str(refused(zipped({"case.toml": "#" * 3_000_000}), tmp_path))


@pytest.mark.parametrize("before", ["x = 1", "types = {a = 1}", 'extends = "travel_declarations"\ntypes = 1'])
def test_a_case_before_the_interview_that_is_none_is_refused(before, case_text, tmp_path):
    written = hashlib.sha256(case_text.encode()).hexdigest()[:16]
    files = {"case.toml": case_text, "before_interview.toml": before, "interview.toml": f'written = "{written}"\n'}

    assert refused(zipped(files), tmp_path).file == "before_interview.toml"


def test_a_directory_that_points_before_the_file_is_damaged(case_text, tmp_path):
    data = bytearray(zipped({"case.toml": case_text}))
    struct.pack_into("<L", data, len(data) - 22 + 16, (1 << 32) - 2)

    assert "damaged" in str(refused(bytes(data), tmp_path))


@pytest.mark.parametrize("content", [b"\xff", b"no toml", b"#" * 3_000_000])
def test_what_is_wrong_with_a_what_if_is_told_without_its_place_on_the_server(content, case_text, tmp_path):
    error = refused(zipped({"case.toml": case_text, "what_ifs/a.toml": content}), tmp_path)

    assert error.file == "what_ifs/a.toml"
    assert "opening" not in str(error)


# -- fits of strangers


def hostile(folder: Path, make) -> bytes:
    with h5py.File(folder / "posterior.nc", "w") as file:
        make(file)
    return archive(folder)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f.__setitem__("a", h5py.ExternalLink("/etc/passwd", "/")), "another place"),
        (lambda f: f.__setitem__("a", h5py.SoftLink("/b")), "another place"),
        (lambda f: f.create_dataset("a", (10,), "f8", external=[("/etc/passwd", 0, 80)]), "something else"),
        (lambda f: f.create_dataset("a", (10**12,), "f8", chunks=(1000,)), "more numbers"),
        (lambda f: f.create_dataset("a", data=b"text"), "something else"),
        (lambda f: f.create_group("a/b/c/d/e/f/g"), "more than a fit"),
        (lambda f: f.__setitem__("a", f), "more than a fit"),
        (lambda f: f.__setitem__("a", np.zeros(3)), "cannot be read as a fit"),
    ],
)
def test_fits_of_strangers_refer_to_nothing_and_hold_no_bombs(make, message, folder, tmp_path):
    assert message in str(refused(hostile(folder, make), tmp_path))


def test_a_fit_that_is_none_is_refused(folder, tmp_path):
    (folder / "posterior.nc").write_bytes(b"no fit")

    assert "cannot be read as a fit" in str(refused(archive(folder), tmp_path))


def test_a_fit_whose_reading_never_ends_is_refused(folder, tmp_path):
    """The size of a stored text made larger than its heap: the library that reads it loops for ever, in whatever process it is."""
    fitted(folder, package_version())
    place = folder / "posterior.nc"
    data = bytearray(place.read_bytes())
    data[data.rindex(b"\x02" + bytes(7) + b"{}")] = 255
    place.write_bytes(data)

    with pytest.raises(CaseError, match="is damaged or no fit"):
        require_readable(place, "posterior.nc", seconds=3)


def test_a_fit_that_takes_too_much_memory_is_refused(folder):
    fitted(folder, package_version())
    require_readable(folder / "posterior.nc", "posterior.nc")
    with pytest.raises(CaseError, match="is damaged or no fit"):
        require_readable(folder / "posterior.nc", "posterior.nc", memory=100_000_000)


def test_an_archive_is_read_by_another_process_first(folder, tmp_path, monkeypatch):
    fitted(folder, package_version())
    data = archive(folder)

    def told(path: Path, name: str) -> None:
        raise CaseError(name, [Problem("E901", "", "is damaged or no fit")])

    monkeypatch.setattr(case_archive, "require_readable", told)
    assert "is damaged or no fit" in str(refused(data, tmp_path))
