"""The widget of a ballot: pictures without names that are clicked from best to worst."""

import base64
from typing import TYPE_CHECKING, Any

import anywidget
import torch
import traitlets

from srlab.base.errors import SrlabError
from srlab.view.comparison.markup import element_script
from srlab.view.comparison.pictures import encode

if TYPE_CHECKING:
    from srlab.evaluation.opinions import Ballot, Trial

WIDE = 360  # CSS pixels: three pictures of this width stand beside each other in most notebooks


class BallotView:
    """What a ballot looks like: pictures with a letter and a rank each, and the buttons below them.

    The page shows ``cards`` and ``state`` and sends each click back; what a click means is known to the ballot alone.
    """

    def __init__(self, ballot: "Ballot") -> None:
        self.ballot = ballot
        self.widget = BallotWidget()
        self.widget.on_msg(lambda _, message, __: self.act(message))
        self._drawn: tuple[int, int] | None = None  # round and finished trials that the cards are about
        self._screen = 0  # counts what was drawn
        self._handled = 0
        self.update()

    def act(self, message: dict[str, Any]) -> None:
        """Do what was clicked: ``{"do": "rank", "letter": "A", "screen": 1}``, "confirm", "again" or "round"."""
        if message.get("screen") != self._screen:  # clicked before the page had the new pictures
            self.update()
            return
        try:
            self._do(message)
        except SrlabError as error:  # raised here, it would end in the log of the notebook, unseen
            self.update(str(error))

    def update(self, problem: str = "") -> None:
        """Show where the ballot is, and what went wrong."""
        ballot = self.ballot
        drawn = (len(ballot.rounds), len(ballot.rounds[-1]))
        with self.widget.hold_sync():  # in one message, or new cards would meet an old state
            if drawn != self._drawn:
                self._drawn, self._screen = drawn, self._screen + 1
                self.widget.cards = [_cards(ballot.trial)] if ballot.trial else _reveal(ballot)
            self._handled += 1  # a state that differs each time tells the page that its click has arrived
            self.widget.state = {"screen": self._screen, "handled": self._handled, "problem": problem, **_texts(ballot)}

    def _do(self, message: dict[str, Any]) -> None:
        what, ballot = message.get("do"), self.ballot
        if what == "rank":
            ballot.click(str(message.get("letter")))
        elif what == "confirm":
            ballot.confirm()
        elif what == "again":
            ballot.again()
        elif what == "round":
            ballot.another_round()


def _texts(ballot: "Ballot") -> dict[str, Any]:
    """What stands around the pictures, and which buttons can be used."""
    count = len(ballot.trials)
    which = f"Round {len(ballot.rounds)}, trial" if len(ballot.rounds) > 1 else "Trial"
    if ballot.trial is None:
        hint = f"Below are the names, each trial in your order. Votes saved so far: {len(ballot.votes)}."
        return {"done": True, "title": "Done: run the next cells for the scores.", "hint": hint}
    if ballot.complete:
        hint = "Confirm to save this ranking. To change it, click a picture: its rank and all after it are taken back."
    else:
        hint = "Click the pictures from best to worst."
    title = f"{which} {len(ballot.rounds[-1]) + 1} of {count}"
    ranking = list(ballot.ranking)
    return {"done": False, "title": title, "hint": hint, "ranking": ranking, "complete": ballot.complete}


def _cards(trial: "Trial") -> dict[str, Any]:
    """A trial without names."""
    return {"title": "", "cards": [_card(letter, picture) for letter, picture in trial.pictures.items()]}


def _reveal(ballot: "Ballot") -> list[dict[str, Any]]:
    """The trials of the round, each with its names and from best to worst."""
    shown = []
    for number, (trial, ranking) in enumerate(zip(ballot.shown, ballot.rounds[-1], strict=True), 1):
        letters = {method: letter for letter, method in trial.methods.items()}
        cards = [_card(letters[method], trial.pictures[letters[method]], method) for method in ranking]
        shown.append({"title": f"Trial {number}, {trial.image}:", "cards": cards})
    return shown


def _card(letter: str, picture: torch.Tensor, name: str = "") -> dict[str, Any]:
    """One picture: twice or three times as large as it is until the names are shown."""
    picture = (picture[0] if picture.ndim == 4 else picture).detach().cpu()
    height, width = picture.shape[-2:]
    zoom = 1 if name else 3 if 3 * width <= WIDE else 2
    source = "data:image/webp;base64," + base64.b64encode(encode(picture, effort=4)).decode()
    return {"letter": letter, "name": name, "source": source, "width": zoom * width, "height": zoom * height}


_RENDER = """
function render({ model, el }) {
  const root = make("div", "srlab-ballot", el, { role: "group", "aria-label": "Blind ranking" });
  const status = make("div", "", root, { role: "status" });
  const title = make("b", "srlab-ballot-title", status), hint = make("span", "", status);
  const problem = make("div", "srlab-ballot-problem", root, { role: "alert" });
  const table = make("div", "srlab-ballot-trials", root);
  const bar = make("div", "srlab-ballot-bar", root);
  const confirm = button("Confirm", bar, () => send({ do: "confirm" }, confirm));
  const again = button("Start again", bar, () => send({ do: "again" }, again));
  const round = button("Vote again", bar, () => send({ do: "round" }, round));
  const pictures = new Map();
  let screen = 0, waiting = null;

  function button(text, parent, action, name = "srlab-ballot-button") {
    const node = make("button", name, parent, { type: "button" });
    node.append(text);
    node.addEventListener("click", (event) => {
      if (event.detail < 2) action(); // the second half of a double click is a slip
    });
    return node;
  }

  /* A click counts when the kernel has answered; until then the same button takes no other. */
  function send(message, node) {
    if (node.getAttribute("aria-busy")) return;
    node.setAttribute("aria-busy", "true");
    model.send({ ...message, screen });
    waiting ??= setTimeout(() => {
      problem.textContent = "Waiting for the kernel: it is busy, or this cell must be run again.";
    }, 1500);
  }

  function build(trials) {
    table.replaceChildren();
    pictures.clear();
    for (const { title, cards } of trials) {
      if (title) make("div", "", table).textContent = title;
      const row = make("div", "srlab-ballot-row", table);
      for (const [place, card] of cards.entries()) {
        const { letter, name, source, width, height } = card;
        const node = name
          ? make("div", "srlab-ballot-card", row)
          : button("", row, () => send({ do: "rank", letter }, node), "srlab-ballot-card");
        const head = make("span", "srlab-ballot-head", node);
        make("b", "", head).textContent = letter;
        const rank = make("span", "srlab-ballot-rank", head);
        if (name) {
          rank.textContent = place + 1;
          make("span", "", head).textContent = name;
        } else pictures.set(letter, { node, rank });
        const image = make("img", "", node, { alt: `picture ${letter}`, src: source, width, height });
        image.style.aspectRatio = `${width} / ${height}`;
        node.style.width = `${width}px`;
      }
    }
  }

  function update() {
    const state = model.get("state"), inside = root.contains(document.activeElement), first = !screen;
    clearTimeout(waiting);
    waiting = null;
    root.querySelectorAll("[aria-busy]").forEach((node) => node.removeAttribute("aria-busy"));
    if (state.screen !== screen) build(model.get("cards"));
    title.textContent = state.title;
    hint.textContent = state.hint;
    problem.textContent = state.problem;
    for (const [letter, { node, rank }] of pictures) {
      const place = state.ranking.indexOf(letter) + 1;
      rank.textContent = place || "";
      node.setAttribute("aria-pressed", String(place > 0));
      node.setAttribute("aria-label", `picture ${letter}${place ? `, rank ${place}` : ""}`);
    }
    confirm.hidden = again.hidden = state.done;
    round.hidden = !state.done;
    confirm.disabled = !state.complete;
    again.disabled = !state.ranking?.length;
    if (state.screen !== screen && inside && !first) {
      (state.done ? round : table.querySelector("button")).focus({ preventScroll: true });
    } else if (inside && !root.contains(document.activeElement)) table.querySelector("button")?.focus();
    screen = state.screen;
  }

  // JupyterLab would take the keys for commands.
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  model.on("change:state", update);
  update();
  return () => { clearTimeout(waiting); model.off("change:state", update); };
}
export default { render };
"""

_STYLE = """
.srlab-ballot {
  --srlab-accent: #1a73e8;
  --srlab-faint: color-mix(in srgb, currentColor 18%, transparent);
  color: inherit; font: 13px/20px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  padding: 6px; box-sizing: border-box; width: 100%;
}
.srlab-ballot *, .srlab-ballot *::before { box-sizing: border-box; }
.srlab-ballot [hidden] { display: none; }
.srlab-ballot-title { margin-right: 12px; font-weight: 600; font-size: 14px; }
.srlab-ballot-problem:not(:empty) { margin-top: 6px; padding-left: 8px; border-left: 3px solid #d93025; }
.srlab-ballot-trials { display: flex; flex-direction: column; gap: 6px; margin: 10px 0; }
.srlab-ballot-row { display: flex; flex-wrap: wrap; gap: 10px; }
.srlab-ballot-card {
  display: flex; flex-direction: column; gap: 4px; box-sizing: content-box !important; max-width: calc(100% - 12px);
  padding: 4px; border: 2px solid transparent; border-radius: 6px;
  background: none; color: inherit; font: inherit; text-align: left;
}
button.srlab-ballot-card { cursor: pointer; border-color: var(--srlab-faint); }
button.srlab-ballot-card:hover { border-color: var(--srlab-accent); }
.srlab-ballot-card[aria-pressed="true"] { border-color: var(--srlab-accent); background: var(--srlab-faint); }
.srlab-ballot [aria-busy] { cursor: progress; opacity: 0.6; }
.srlab-ballot-head { display: flex; align-items: baseline; gap: 6px; min-height: 22px; overflow-wrap: anywhere; }
.srlab-ballot-card img { display: block; max-width: 100%; height: auto; margin-top: auto; image-rendering: pixelated; }
.srlab-ballot-rank:not(:empty) {
  min-width: 20px; padding: 0 6px; border-radius: 10px; background: var(--srlab-accent); color: #fff;
  font-weight: 600; text-align: center;
}
.srlab-ballot-bar { display: flex; gap: 8px; }
.srlab-ballot-button {
  font: inherit; color: inherit; cursor: pointer; min-height: 30px; padding: 0 14px;
  border: 1px solid var(--srlab-faint); border-radius: 6px; background: transparent;
}
.srlab-ballot-button:hover:not(:disabled) { background: var(--srlab-faint); }
.srlab-ballot-button:first-child:not(:disabled) {
  background: var(--srlab-accent); border-color: var(--srlab-accent); color: #fff;
}
.srlab-ballot-button:disabled { opacity: 0.45; cursor: default; }
.srlab-ballot button:focus-visible { outline: 3px solid var(--srlab-accent); outline-offset: 2px; }
"""


class BallotWidget(anywidget.AnyWidget):
    """The page's half of a `BallotView`."""

    _esm = element_script() + _RENDER
    _css = _STYLE
    cards = traitlets.List().tag(sync=True)  # changes with the trial; the pictures are in it
    state = traitlets.Dict().tag(sync=True)  # changes with each click

    def __repr__(self) -> str:  # what is saved beside the widget, and all that a page without it can show
        return "Blind ranking: needs a running kernel."
