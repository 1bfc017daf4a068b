import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from recurra.errors import ArgumentError, MissingDependencyError
from recurra.report import canvas, generator, render_report, write_report
from recurra.training.history import History


def test_equal_reports_give_equal_bytes_in_any_thread(report):
    page = render_report(report)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(render_report, [report] * 6)) == {page}


def test_the_page_is_written_and_its_absolute_path_returned(report, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_report(report, os.path.join("new", "folder", "page.html"))
    assert path == (tmp_path / "new" / "folder" / "page.html").resolve()
    assert path.read_text("utf-8") == render_report(report)
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]


def test_an_older_page_is_replaced(report, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    write_report(report, path)
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("part", ["score_bars", "render"])
def test_a_failure_in_drawing_leaves_the_old_page(report, tmp_path, monkeypatch, part):
    path = tmp_path / "page.html"
    path.write_text("old")
    monkeypatch.setattr(generator, part, lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(report, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_in_writing_leaves_the_old_page(report, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "page.html"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ArgumentError, match=r"page\.html: No space left on device"):
        write_report(report, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_that_cannot_be_written_is_an_error_that_names_it(report, tmp_path):
    report = replace(report, scores=[], history=History())
    (tmp_path / "file").write_text("x")
    for bad in (tmp_path, tmp_path / "file" / "page.html"):
        with pytest.raises(ArgumentError, match=re.escape(str(bad))):
            write_report(report, bad)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_a_missing_package_is_an_error_that_names_the_extra(report, monkeypatch, package):
    def import_module(name):
        if name == package:
            raise ModuleNotFoundError(name)

    monkeypatch.setattr(canvas, "import_module", import_module)
    with pytest.raises(MissingDependencyError, match=r"pip install 'recurra\[report\]'"):
        render_report(report)


def test_importing_the_report_imports_no_drawing_and_drawing_no_pyplot():
    code = """
import sys
import recurra.report as report
assert not {"matplotlib", "jinja2"} & set(sys.modules), "imported too early"
from recurra.training.history import Epoch, History
history = History([Epoch(1, 2.0, 2.0, 1.0, 0.1, True)], [1.0, 2.0])
report.render_report(report.GeneratorReport("t", "", [], history, [], [], "b"))
assert "matplotlib" in sys.modules
assert "matplotlib.pyplot" not in sys.modules, "pyplot"
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
