"""A notebook's kernel for tests: cells that run in one namespace and are kept, as IPython keeps them."""

from types import SimpleNamespace

from srlab_course.feedback import fallback
from srlab_course.lab import run_code


class Cells:
    """Cells of a notebook; `srlab_course.lab.run_code` finds them in place of IPython's."""

    def __init__(self, monkeypatch):
        self.user_ns, self.history_manager = {}, SimpleNamespace(input_hist_raw=[])
        self.restart()
        for module in (run_code, fallback):
            monkeypatch.setattr(module, "running_shell", lambda: self)

    def restart(self):
        self.user_ns.clear()
        self.user_ns["__name__"] = "__main__"
        self.history_manager.input_hist_raw.clear()

    def run(self, source):
        """Run a cell, and return what it has defined last."""
        self.history_manager.input_hist_raw.append(source)
        exec(source, self.user_ns)
        return [*self.user_ns.values()][-1]

    def __getitem__(self, name):
        return self.user_ns[name]


def leave_code(run, text):
    """Leave the text of a run's answers as a lab on this machine does, in the folder of a run."""
    run.path.mkdir(parents=True, exist_ok=True)
    (run.path / run_code.FILE).write_text(text, encoding="utf-8")
    with (run.path.parents[1] / ".srlab-written").open("a", encoding="utf-8") as record:
        record.write(f"{run_code.digest_of(text)}  {run_code.FILE}\n")
