"""How the site is built: `just docs`. Nothing is fetched, and TensorFlow is not loaded."""

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
    "sphinx_click",
    "sphinx_copybutton",
    "found_pages",
    "plain_docstrings",
]
exclude_patterns = ["_build", "_ext"]
nitpick_ignore_regex = [("py:.*", ".*")]  # names of other packages: their inventories would have to be fetched

# Markdown: headings can be linked to as on GitHub, and a link to a file of this repository brings it along.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]
myst_links_external_new_tab = True

# Docstrings are plain prose: a word in backticks is a name here, or else just code.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
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
