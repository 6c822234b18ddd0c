"""The files of compiled code: found again, never another's, never a damaged one."""

import os
import shutil
from pathlib import Path

import numba
import pytest

import minicnn
from minicnn.kernels.numba_fast.engine import cache
from tests.support.scripts import run

PACKAGE = Path(minicnn.__file__).resolve().parent


def test_nothing_is_compiled_at_import_nor_numba_loaded_before_a_kernel_is_used(tmp_path):
    script = """
        assert "numba" not in sys.modules, "import minicnn loads numba"
        import importlib, pkgutil
        from numba.core import event
        from numba.core.dispatcher import Dispatcher
        with event.install_recorder("numba:compile") as compiled:
            package = importlib.import_module("minicnn.kernels.numba_fast")
            found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
            modules = [importlib.import_module(module.name) for module in found]
        loops = {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
        assert len(loops) > 10
        assert not compiled.buffer and not any(one.signatures for one in loops)
        two_steps()
        assert sum(len(one.signatures) for one in loops) > 10
    """
    run(tmp_path, script)


@pytest.fixture
def copy(tmp_path):
    """A copy of the package without anything compiled."""
    shutil.copytree(PACKAGE, tmp_path / "minicnn", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_where_the_packages_folder_cannot_be_written_the_cache_goes_to_the_users(copy):
    folder = copy / "minicnn" / "kernels" / "numba_fast"
    for place in (folder, folder / "engine", folder / "operands"):
        (place / "__pycache__").write_text("in the way, for root as well")
    home = {"HOME": str(copy / "home"), "XDG_CACHE_HOME": str(copy / "home" / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    script = """
        from numba.core import event
        with event.install_recorder("numba:compile") as compiled:
            result = minicnn.nn.functional.relu(np.array([-1.0, 0.0, 2.0]))
        assert minicnn.__file__.startswith(sys.argv[0].rpartition("/")[0]) and result.tolist() == [0, 0, 2]
        print(len(compiled.buffer) > 0)
    """
    assert [run(copy, script, copy, **home) for _ in range(2)] == ["True\n", "False\n"]  # compiled once
    assert list((copy / "home").rglob("*.nbc"))
    assert not list(folder.rglob("*.nbc"))


def test_what_was_compiled_from_other_sources_is_deleted(tmp_path):
    source, folder = tmp_path / "a.py", tmp_path / "__pycache__"
    source.write_text("1")
    before = cache.digest_of(tmp_path)
    source.write_text("2")
    after = cache.digest_of(tmp_path)
    folder.mkdir()
    names = [
        f"a.loops-1.py311.{before}.1.nbc",
        f"a.loops-1.py311.{before}.1.nbc.tmp.12",
        f"a.loops-1.py311.{after}.1.nbc",
        "a.pyc",
    ]
    for name in names:
        (folder / name).touch()
    cache.discard_stale_cache(tmp_path, after)
    assert {path.name for path in folder.iterdir()} == set(names[2:])


def test_a_change_in_any_of_the_sources_names_other_files(tmp_path):
    """Whatever a kernel calls is compiled into it, from whichever file it comes."""
    folder = tmp_path / "numba_fast"
    shutil.copytree(cache.FOLDER, folder)
    sources = sorted(folder.rglob("*.py"))
    digests = [cache.digest_of(folder)]
    for path in sources:
        with open(path, "a", encoding="utf-8") as file:
            file.write("# changed\n")
        digests.append(cache.digest_of(folder))
    assert {path.parent.name for path in sources} == {"numba_fast", "engine", "operands"}
    assert digests[0] == cache.SOURCES
    assert len(set(digests)) == len(digests)


def test_two_processes_that_compile_at_once_do_not_mix_up_their_code(tmp_path):
    """Both look before either has written: Numba's own index then gives one of them the
    other's file.
    """
    first, second = (cache.Files(str(tmp_path), "a.loops-1.py311", None) for _ in range(2))
    keys = [("int32", "x86-64"), ("float32", "x86-64")]
    assert first.load(keys[0]) is second.load(keys[1]) is None
    first.save(keys[0], "for int32")
    second.save(keys[1], "for float32")
    assert [files.load(key) for files in (first, second) for key in keys] == ["for int32", "for float32"] * 2


COMPILES_ADAM = """
    from numba.core import event
    parameter = minicnn.nn.Parameter(np.ones(3))
    parameter.grad = np.ones(3)
    with event.install_recorder("numba:compile") as compiled:
        minicnn.optim.Adam([parameter], lr=0.5).step()
    assert np.allclose(parameter.data, 0.5)
    print(len(compiled.buffer) > 0)
"""


@pytest.mark.parametrize("damage", ["cut", "one bit"])
def test_a_damaged_file_is_compiled_anew(copy, damage):
    """A single bit in it is another instruction, which the processor would run."""
    assert [run(copy, COMPILES_ADAM, copy) for _ in range(2)] == ["True\n", "False\n"]
    for path in (copy / "minicnn" / "kernels" / "numba_fast").rglob("*.nbc"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content if damage == "one bit" else content[:100])
    assert [run(copy, COMPILES_ADAM, copy) for _ in range(2)] == ["True\n", "False\n"]


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files")
def test_where_the_disk_is_full_it_computes_all_the_same(copy):
    limit = "    import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
    before = "    import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    assert run(copy, "\n" + before + limit + COMPILES_ADAM.lstrip("\n"), copy) == "True\n"
    assert not [path for path in copy.rglob("*.nb*") if path.stat().st_size > 5000 or path.suffix != ".nbc"]


# -------------------------------------------------------- what is in the name of a file

SECOND_MACHINE = """
    from llvmlite import binding
    features = binding.get_host_cpu_features()
    for name in [name for name in features if name.startswith("avx512")]:
        features[name] = False
    binding.get_host_cpu_features = lambda: features
"""


def compiles(copy, before="", **environment):
    """Whether a process compiles, or finds files; it computes what every machine has to
    compute.
    """
    return run(copy, before.lstrip("\n") + COMPILES_ADAM.lstrip("\n"), copy, **environment).splitlines()[-1] == "True"


def has_avx512():
    from llvmlite import binding

    return bool(binding.get_host_cpu_features().get("avx512f"))


@pytest.mark.parametrize("fixed", [{}, {"NUMBA_CPU_NAME": "x86-64-v3"}], ids=["its own", "NUMBA_CPU_NAME"])
@pytest.mark.skipif(not has_avx512(), reason="masks AVX-512, which this processor lacks")
def test_two_machines_that_share_a_folder_find_each_its_own_code(copy, fixed):
    """With a processor named for both, only the length of the vectors tells them apart."""
    assert compiles(copy, **fixed)
    assert compiles(copy, SECOND_MACHINE, **fixed)
    assert not compiles(copy, **fixed)
    assert not compiles(copy, SECOND_MACHINE, **fixed)


@pytest.mark.parametrize("setting", [{"NUMBA_OPT": "1"}, {"NUMBA_DEBUGINFO": "1"}, {"NUMBA_BOUNDSCHECK": "1"}], ids=str)
def test_a_setting_that_changes_the_code_has_files_of_its_own(copy, setting):
    assert compiles(copy)
    assert compiles(copy, **setting)
    assert not compiles(copy)


@pytest.mark.parametrize("module", [numba, cache.llvmlite], ids=["numba", "llvmlite"])
def test_another_version_names_other_files(monkeypatch, tmp_path, module):
    files = cache.Files(str(tmp_path), "a.loops-1.py311", None)
    before = files.name("key")
    monkeypatch.setattr(module, "__version__", "0.1")
    assert files.name("key") != before


def test_from_a_zip_a_change_in_the_sources_compiles_anew(copy):
    """Numba keeps that code in the user's folder, beside which no source is to be found."""
    archive = copy / "library.zip"
    home = {"HOME": str(copy / "home"), "XDG_CACHE_HOME": str(copy / "home"), "PYTHONPATH": str(archive)}
    script = """
        parameter = minicnn.nn.Parameter(np.ones(3))
        parameter.grad = np.ones(3)
        minicnn.optim.Adam([parameter], lr=0.5).step()
        assert ".zip" in minicnn.__file__
        print(*parameter.data.round(6))
    """

    def from_zip():
        shutil.make_archive(str(archive.with_suffix("")), "zip", copy, "minicnn")
        return run(copy / "home", script, copy, **home)

    (copy / "home").mkdir()
    assert [from_zip() for _ in range(2)] == ["0.5 0.5 0.5\n"] * 2
    source = copy / "minicnn" / "kernels" / "numba_fast" / "optimizers.py"
    text = source.read_text(encoding="utf-8")
    right = "param[q] = p + scalars.size * m / root"
    assert right in text
    source.write_text(text.replace(right, right.replace("+", "-")), encoding="utf-8")
    assert from_zip() == "1.5 1.5 1.5\n"


def test_without_sources_nothing_is_kept(monkeypatch, tmp_path):
    (tmp_path / "loops.pyc").touch()
    assert cache.digest_of(tmp_path) == ""
    monkeypatch.setattr(cache, "SOURCES", "")
    assert cache.find_cache(cache.digest_of) is None


@pytest.mark.parametrize("missing", ["IndexDataCacheFile", "IndexDataCacheFile._save_data", "FunctionCache"])
def test_a_numba_that_has_renamed_what_is_private_computes_all_the_same_and_one_line_says_so(copy, missing):
    before = f"""
    import numba.core.caching
    import numba.core.ccallback  # it uses the name itself, when it is imported
    del numba.core.caching.{missing}
"""
    for _ in range(2):
        printed = run(copy, before.lstrip("\n") + COMPILES_ADAM.lstrip("\n"), copy).splitlines()
        assert printed[-1] == "True"
        assert len(printed) == 2
        assert missing.rpartition(".")[2] in printed[0]
        assert "compiled code is not kept" in printed[0]
    assert not list(copy.rglob("*.nbc"))


def test_without_compilation_one_line_says_why_it_takes_so_long(tmp_path):
    script = """
        for _ in range(2):
            assert minicnn.nn.functional.relu(np.array([-1.0, 2.0])).tolist() == [0, 2]
    """
    (line,) = run(tmp_path, script, NUMBA_DISABLE_JIT="1").splitlines()
    assert line.startswith("NUMBA_DISABLE_JIT=1 is set")
    assert run(tmp_path, script) == ""
