"""Running a notebook without the cells of a tag."""

import nbformat

from srlab.lab.execute import execute

HEADLINE = (
    "from IPython.display import display\n"
    "data = {'label': 'sum', 'value': a + b, 'unit': '', 'peak_memory_mib': 1}\n"
    "display({'application/vnd.srlab.headline+json': data}, raw=True)"
)


def test_cells_with_the_tag_are_left_out_and_the_parameters_still_arrive(tmp_path):
    notebook, output = tmp_path / "lab.ipynb", tmp_path / "out.ipynb"
    made = nbformat.v4.new_notebook(metadata={"language_info": {"name": "python"}})
    parts = {"a = 1": ["parameters"], "b = 10": [], "b = 1 / 0": ["explore", "other"], HEADLINE: []}
    for source, tags in parts.items():
        made.cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": tags}))
    nbformat.write(made, notebook)
    assert execute(notebook, output, {"a": 5}, without="explore")["value"] == 15
    sources = [cell.source for cell in nbformat.read(output, 4).cells]
    assert "b = 1 / 0" not in sources
    assert "b = 1 / 0" in notebook.read_text(), "the lab itself stays as it is"
