"""How the site is built: `just docs`. Nothing is fetched."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from optselect import __version__

project = "optselect"
author = "The optselect developers"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "found_pages",
    "command_help",
]
exclude_patterns = ["_build", "_ext"]
nitpick_ignore_regex = [("py:.*", "(?s).*")]  # names of other packages: their inventories would have to be fetched

# Markdown: headings can be linked to as on GitHub, and a link to a file of this repository brings it along.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]
myst_links_external_new_tab = True

# Docstrings have numpydoc's sections; a word in single backticks is a name of this package, or else just code.
napoleon_google_docstring = False
napoleon_use_rtype = False
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False  # what Keras or scikit-learn write of a method is on their sites
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
add_module_names = False
toc_object_entries_show_parents = "hide"

smartquotes = False  # two hyphens are an option's

html_theme = "furo"
html_title = "optselect"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
