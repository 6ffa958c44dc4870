"""Processes that train are killed, stopped, or two at once; on a disk that is full or may not be written."""

import contextlib
import ctypes
import io
import os
import signal
import sys
from functools import partial

import pytest

from srlab.base.files import read_safetensors, write_atomic
from srlab.models import MSRResNet
from srlab.models.weights import load_generator
from srlab.training.runs import Run
from srlab.training.signals import TrainingStopped
from tests.full_disk import STRIDE, Disk, fill_up
from tests.kills import KILLS, Life, context, kill_until_done

from .little_run import EVERY, LAB, LittleRun, half_done, refusal, require_whole, undisturbed, what_is_left

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the processes are forked and killed")


@pytest.fixture
def at(monkeypatch):
    """Look at the runs of a folder."""

    def look(function):
        def looking(place, *arguments):
            monkeypatch.setenv("SRLAB_HOME", str(place))
            return function(*arguments)

        return looking

    return look


# --- kill -9 -------------------------------------------------------------------------------------------------


def train(say, place=None, **kind):
    """Train to the end, and say what is saved once it is."""
    if place:
        os.environ["SRLAB_HOME"] = str(place)
    little = LittleRun(**kind)
    run = little.run

    def telling(function, tell):
        def told(*arguments, **settings):
            function(*arguments, **settings)
            say(tell(*arguments, **settings))

        return told

    run.save_state = telling(run.save_state, lambda state: f"state {state['step']}")
    run.write_manifest = telling(run.write_manifest, lambda manifest: f"run.json {manifest['step']}")
    run.save_generator = telling(
        run.save_generator,
        lambda generator, step, best="", **_: f"generator{best and '-best-'}{best}.safetensors {step}",
    )
    little.fit()


def require_what_was_acknowledged(said):
    run = require_whole()
    newest = (run.load_state() or {"step": 0})["step"]
    for line in said:
        what, step = line.split()
        if what == "state":
            assert newest >= int(step)
        elif what == "run.json":
            assert run.manifest()["step"] >= int(step)
        else:
            # The best weights may be of a step that no state has yet: from the state before, it is done again.
            assert read_safetensors(run.path / what)[1]["step"] >= min(int(step), newest)


@pytest.mark.parametrize("kind", [{}, {"gan": True}, {"precision": "bf16"}], ids=["one", "gan", "bf16"])
def test_training_killed_at_any_moment_ends_with_the_bytes_of_an_undisturbed_run(tmp_path, at, kind):
    kill_until_done(partial(train, **kind), tmp_path, at(require_what_was_acknowledged), at(what_is_left))


def train_and_die(say, writes):
    """Train, and die by kill -9 amid the write of that number."""

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    Disk(pytest.MonkeyPatch(), writes, die)
    LittleRun().fit(EVERY)


def test_training_killed_at_any_one_write_ends_with_the_bytes_of_an_undisturbed_run(monkeypatch, tmp_path):
    expected, code, writes = undisturbed(EVERY), -9, 0
    while code == -9:
        monkeypatch.setenv("SRLAB_HOME", str(tmp_path / str(writes)))
        code = Life(train_and_die, writes).end()
        require_whole()
        LittleRun().fit(EVERY)
        assert what_is_left() == expected, f"after a kill amid write {writes}"
        writes += STRIDE
    assert code == 0
    assert writes > 50  # a run does write: two states, weights, manifests, the log, TensorBoard's events


SIZE, TIMES = 2_000_000, 10  # bytes; writing them takes longer than all else around it


def write_in_a_loop(say, place):
    file = place / "file"
    done = file.read_bytes()[0] if file.exists() else 0
    for number in range(done + 1, TIMES + 1):
        write_atomic(file, bytes([number]) * SIZE)
        say(str(number))


def test_a_kill_amid_a_write_leaves_the_file_before(tmp_path):
    def content(place, said=()):
        file = place / "file"
        written = file.read_bytes() if file.exists() else bytes(SIZE)
        assert written == written[:1] * SIZE
        assert written[0] >= max(map(int, said), default=0)
        return written[0]

    kill_until_done(write_in_a_loop, tmp_path, content, content)


# --- Two processes -------------------------------------------------------------------------------------------


def train_beside(say, start, refused):
    """The one that holds the run waits within its first step until the other one was refused."""
    little = LittleRun()

    def wait_for_the_other(number):
        say("training")
        assert refused.wait(20), "nobody was refused"

    little.before_step = wait_for_the_other
    start.wait(20)
    try:
        little.fit(1)
    finally:
        refused.set()


def test_of_two_processes_one_trains_and_the_other_is_refused_until_the_first_dies(tmp_path, monkeypatch):
    expected = undisturbed(1)
    for number in range(max(2, KILLS // 3)):
        monkeypatch.setenv("SRLAB_HOME", str(tmp_path / str(number)))
        start, refused = context().Barrier(2), context().Event()
        lives = [Life(train_beside, start, refused) for _ in range(2)]
        assert sorted(life.end() for life in lives) == [0, 2], [life.said for life in lives]
        (said,) = next(life.said for life in lives if life.said != ["training"])
        assert "is in use by another process; wait for it, or choose another run name." in said
        assert what_is_left() == expected
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "killed"))
    life = Life(train_beside, context().Barrier(1), context().Event())
    life.wait_for(1)
    refusal("is in use by another process", LittleRun().fit)
    assert life.kill_after(0)
    LittleRun("default").fit(1)


# --- Ctrl-C and SIGTERM --------------------------------------------------------------------------------------


class Spoken(io.StringIO):
    """What is printed, said at once."""

    def __init__(self, say):
        super().__init__()
        self.write = say


def train_until_stopped(say, name):
    little = LittleRun(name, network=lambda: MSRResNet(1, 4))
    little.before_step = lambda number: say(f"step {number}")
    try:
        with contextlib.redirect_stdout(Spoken(say)):
            little.fit(100_000, validate=None, validate_every=100_000)
    except TrainingStopped as stopped:
        say(f"raised: {stopped}")
        sys.exit(7)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 7), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_signal_lets_the_step_end_saves_and_says_how_to_go_on(number, code):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    life = Life(train_until_stopped, number.name)
    life.wait_for(13)
    os.kill(life.process.pid, number)
    assert life.end() == code
    run = Run(LAB, number.name)
    manifest, step, text = run.manifest(), run.load_state()["step"], "".join(life.said)
    assert step >= 13
    assert f"Stopped at step {step} of 100000; everything is saved in {run.path}." in text
    assert "Run the same cell or command again to go on." in text
    assert ("raised: Stopped" in text) == (number == signal.SIGINT)
    assert (manifest["state"], manifest["step"]) == ("stopped", step)
    assert all(value.isfinite().all() for value in load_generator(LAB, number.name).parameters())
    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    logged = [row["step"] for row in run.metrics() if "loss" in row]
    assert logged == [event.step for event in events.Scalars("loss")]
    assert logged[-1] == step
    with run.lock():
        pass


# --- A disk that is full, or may not be written --------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of TensorBoard's own thread
def test_a_run_stops_at_any_one_write_to_a_full_disk_and_goes_on_when_there_is_room(monkeypatch):
    expected = undisturbed(EVERY)

    def after(room, passed):
        require_whole(f"run{room}")
        LittleRun(f"run{room}").fit(EVERY)
        assert what_is_left(f"run{room}") == expected

    assert fill_up(monkeypatch, lambda room: LittleRun(f"run{room}").fit(EVERY), after) > 50


def train_with_small_files(say, largest):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    LittleRun().fit()


@pytest.mark.parametrize("largest", [200, 4000])
def test_a_run_under_a_limit_of_the_system_stops_and_goes_on_without_it(largest):
    stopped = Life(train_with_small_files, largest)
    assert stopped.end() == 2, stopped.said
    (said,) = stopped.said
    assert said.startswith("SrlabError: ")
    assert "File too large" in said
    assert "\n" not in said
    require_whole()
    LittleRun().fit()
    assert what_is_left() == undisturbed()


def train_obediently(say):
    """Root may write everywhere: let go of that. Everybody else obeys permissions anyway."""
    if os.getuid() == 0:
        header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()  # version 3, this process
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.capget(header, sets) == 0
        sets[0] &= ~0b110  # effective: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
        assert libc.capset(header, sets) == 0
    LittleRun().fit()


@pytest.mark.skipif(sys.platform != "linux" and os.getuid() == 0, reason="root cannot be made to obey permissions here")
@pytest.mark.parametrize("where", ["home", "lab", "run"])
def test_a_run_that_may_not_be_written_is_left_as_it_is(home, where):
    run = Run(LAB, "default")
    folder = {"home": home, "lab": run.path.parent, "run": run.path}[where]
    folder.mkdir(parents=True)
    if where == "run":
        half_done()
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    before = {path: path.stat().st_mtime_ns for path in modes}
    for path in modes:
        path.chmod(0o555 if path.is_dir() else 0o444)
    refused = Life(train_obediently)
    code = refused.end()
    assert {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))} == before
    for path, mode in modes.items():
        path.chmod(mode)
    assert (code, len(refused.said)) == (2, 1), refused.said
    assert all(word in refused.said[0] for word in ("Permission denied", str(run.path), "SRLAB_HOME"))
    LittleRun().fit()
    assert what_is_left() == undisturbed()
