"""The documentation site: ``make docs``. It is built and read without a network: the theme fetches nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from sphinx.application import Sphinx

import ferbench

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "ferbench"
author = "The ferbench developers"
copyright = author
version = release = ferbench.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
smartquotes = False  # they make one dash of the two before an option

autodoc_member_order = "bysource"
autodoc_typehints = "none"
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"ferbench {release}"
html_static_path = ["static"]
html_css_files = ["ferbench.css"]
html_copy_source = False
html_show_sourcelink = False


def setup(app: Sphinx) -> None:
    """Write the pages of ``reference/`` before Sphinx looks for pages."""
    write: Callable[[Path], None] = import_module("reference_pages").write
    app.connect("builder-inited", lambda app: write(HERE / "reference"))
