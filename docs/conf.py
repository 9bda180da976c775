"""How Sphinx builds the documentation: `make docs`."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "reprocore"
author = "The reprocore authors"
project_copyright = author
version = release = version_of("reprocore")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "mathml",
    "public_names",
]
exclude_patterns = ["_build", "demo/README.md", "study/*/*.md"]
templates_path = ["_templates"]

myst_enable_extensions = ["deflist", "dollarmath"]
# Headings that a link can name, as in `page.md#heading`.
myst_heading_anchors = 3

# Notebooks are run when they, or nothing of them, lie in the cache; an error ends the build.
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

# Signatures as they are written, such as `npt.ArrayLike`, not what they stand for.
autodoc_preserve_defaults = True
autodoc_type_aliases = {"npt.ArrayLike": "ArrayLike"}
default_role = "code"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "reprocore"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
